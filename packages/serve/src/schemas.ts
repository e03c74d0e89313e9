// JSON schemas of requests and responses; the descriptions are the field-by-field documentation of the API.
import { NEUTRAL_ONLY } from "./requests.ts";

const nullable = (schema: object) => ({ ...schema, nullable: true });

const neutralOnlyProperties = Object.fromEntries(
  Object.entries(NEUTRAL_ONLY).map(([name, { neutral, reason }]) => [
    name,
    {
      description: `Accepted as ${neutral.map((value) => JSON.stringify(value)).join(" or ")} only: ${reason}.`,
    },
  ]),
);

const samplingProperties = {
  ...neutralOnlyProperties,
  model: { type: "string", description: "Id of a model listed by /v1/models." },
  max_tokens: nullable({
    type: "integer",
    minimum: 1,
    description: "Most tokens to generate. Default: 16 for completions, the rest of the context for chat.",
  }),
  temperature: nullable({
    type: "number",
    minimum: 0,
    maximum: 2,
    description: "Divides the logits before sampling; 0 always takes the likeliest token. Default: 1.",
  }),
  top_p: nullable({
    type: "number",
    exclusiveMinimum: 0,
    maximum: 1,
    description: "Samples among the likeliest tokens that together have this probability. Default: all.",
  }),
  top_k: nullable({
    type: "integer",
    minimum: 1,
    description: "Samples among this many likeliest tokens. Default: all. An extension to OpenAI's API.",
  }),
  stop: {
    anyOf: [
      { type: "string", minLength: 1 },
      { type: "array", maxItems: 16, items: { type: "string", minLength: 1 } },
      { type: "null" },
    ],
    description: "Up to 16 strings that end the text; the string itself is not returned. Default: none.",
  },
  seed: nullable({
    type: "integer",
    minimum: Number.MIN_SAFE_INTEGER,
    maximum: Number.MAX_SAFE_INTEGER,
    description: "Makes sampling repeatable as far as the generator promises it. Default: none.",
  }),
  response_format: nullable({
    type: "object",
    required: ["type"],
    additionalProperties: false,
    description: "What the text is to be; for models that can be held to a schema. Default: any text.",
    properties: {
      type: {
        type: "string",
        enum: ["text", "json_object", "json_schema"],
        description: "Any text, a JSON object, or JSON of a schema.",
      },
      json_schema: {
        type: "object",
        required: ["name", "schema"],
        additionalProperties: false,
        properties: {
          name: { type: "string", description: "Ignored." },
          description: { type: "string", description: "Ignored." },
          schema: {
            type: "object",
            description:
              "JSON Schema; what the text cannot be held to is refused. See the model's documentation.",
          },
          strict: nullable({ type: "boolean", description: "Ignored: the text always is of the schema." }),
        },
      },
    },
  }),
  stream: nullable({ type: "boolean", description: "Answer with server-sent events. Default: false." }),
  stream_options: nullable({
    type: "object",
    additionalProperties: false,
    description: "Only with stream.",
    properties: {
      include_usage: {
        type: "boolean",
        description: "Send one more chunk, with the usage and no choices, before [DONE]. Default: false.",
      },
      include_obfuscation: { type: "boolean", description: "Ignored: chunks are never padded." },
    },
  }),
  user: nullable({ type: "string", description: "Ignored." }),
  safety_identifier: nullable({ type: "string", description: "Ignored." }),
  prompt_cache_key: nullable({ type: "string", description: "Ignored." }),
  metadata: nullable({ type: "object", description: "Ignored." }),
};

const messageSchema = {
  type: "object",
  required: ["role", "content"],
  additionalProperties: false,
  properties: {
    role: {
      type: "string",
      enum: ["system", "developer", "user", "assistant"],
      description: "Who speaks; developer is another name for system.",
    },
    content: {
      description: "The text, whole or in parts that are joined.",
      anyOf: [
        { type: "string" },
        {
          type: "array",
          minItems: 1,
          items: {
            type: "object",
            required: ["type", "text"],
            additionalProperties: false,
            properties: { type: { type: "string", enum: ["text"] }, text: { type: "string" } },
          },
        },
      ],
    },
    name: { type: "string", description: "Ignored." },
    refusal: nullable({
      type: "string",
      description: "Ignored, so that an answer can be sent back as it came.",
    }),
  },
};

/** Body of `POST /v1/chat/completions`. */
export const chatCompletionRequestSchema = {
  type: "object",
  required: ["model", "messages"],
  additionalProperties: false,
  properties: {
    ...samplingProperties,
    max_completion_tokens: nullable({
      type: "integer",
      minimum: 1,
      description: "The newer name of max_tokens; it wins where both are given.",
    }),
    messages: { type: "array", minItems: 1, items: messageSchema, description: "The conversation so far." },
  },
};

/** Body of `POST /v1/completions`. */
export const completionRequestSchema = {
  type: "object",
  required: ["model", "prompt"],
  additionalProperties: false,
  properties: {
    ...samplingProperties,
    prompt: {
      description: "The text to continue, as a string or a list of exactly one. Token ids are not accepted.",
      anyOf: [{ type: "string" }, { type: "array", minItems: 1, maxItems: 1, items: { type: "string" } }],
    },
  },
};

const usageSchema = {
  type: "object",
  description: "Token counts, special tokens of the prompt included.",
  properties: {
    prompt_tokens: { type: "integer" },
    completion_tokens: { type: "integer" },
    total_tokens: { type: "integer" },
  },
};

const headProperties = {
  id: { type: "string" },
  object: { type: "string" },
  created: { type: "integer", description: "Unix time in seconds." },
  model: { type: "string" },
};

const choiceProperties = {
  index: { type: "integer", description: "Always 0." },
  logprobs: { type: "null" },
  finish_reason: { type: "string", enum: ["stop", "length"] },
};

/** Answer of `POST /v1/chat/completions` without streaming. */
export const chatCompletionSchema = {
  type: "object",
  properties: {
    ...headProperties,
    choices: {
      type: "array",
      items: {
        type: "object",
        properties: {
          ...choiceProperties,
          message: {
            type: "object",
            properties: {
              role: { type: "string" },
              content: { type: "string" },
              refusal: { type: "null" },
            },
          },
        },
      },
    },
    usage: usageSchema,
  },
};

/** Answer of `POST /v1/completions` without streaming. */
export const completionSchema = {
  type: "object",
  properties: {
    ...headProperties,
    choices: {
      type: "array",
      items: { type: "object", properties: { ...choiceProperties, text: { type: "string" } } },
    },
    usage: usageSchema,
  },
};

/** One entry of `GET /v1/models`. */
export const modelSchema = {
  type: "object",
  properties: {
    id: { type: "string" },
    object: { type: "string" },
    created: { type: "integer", description: "Unix time in seconds." },
    owned_by: { type: "string" },
    max_model_len: { type: "integer", description: "Most tokens of prompt and completion together." },
  },
};

/** Answer of `GET /v1/models`. */
export const modelListSchema = {
  type: "object",
  properties: { object: { type: "string" }, data: { type: "array", items: modelSchema } },
};

/** Answer of `GET /health`. */
export const healthSchema = {
  type: "object",
  properties: {
    status: { type: "string", enum: ["ok", "draining"] },
    running: { type: "integer", description: "Requests generating now." },
    waiting: { type: "integer", description: "Requests waiting for a place." },
  },
};

/** Every error answer. */
export const errorSchema = {
  type: "object",
  required: ["error"],
  properties: {
    error: {
      type: "object",
      properties: {
        message: { type: "string" },
        type: { type: "string" },
        param: nullable({ type: "string", description: "The request field at fault." }),
        code: { type: "string" },
      },
    },
  },
};
