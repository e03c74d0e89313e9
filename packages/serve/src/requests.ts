// Request bodies as the schemas let them through, and what they mean in the generator's terms.
import { ServeError } from "./errors.ts";
import type { ChatMessage, GenerationOptions, ServedModel } from "./text-generator.ts";

/** Fields both endpoints share, in OpenAI's spelling; `null` means absent, as there. */
export interface SamplingRequest {
  readonly model: string;
  readonly max_tokens?: number | null;
  readonly temperature?: number | null;
  readonly top_p?: number | null;
  readonly top_k?: number | null;
  readonly stop?: string | readonly string[] | null;
  readonly seed?: number | null;
  readonly stream?: boolean | null;
  readonly stream_options?: { readonly include_usage?: boolean } | null;
  readonly response_format?: ResponseFormat | null;
}

/** What the text is to be. */
interface ResponseFormat {
  readonly type: "text" | "json_object" | "json_schema";
  readonly json_schema?: { readonly schema: object };
}

/** Body of `POST /v1/completions`. */
export interface CompletionRequest extends SamplingRequest {
  readonly prompt: string | readonly string[];
}

/** Body of `POST /v1/chat/completions`. */
export interface ChatCompletionRequest extends SamplingRequest {
  readonly max_completion_tokens?: number | null;
  readonly messages: readonly {
    readonly role: ChatMessage["role"] | "developer";
    readonly content: string | readonly { readonly type: "text"; readonly text: string }[];
  }[];
}

interface NeutralOnly {
  /** The values that ask for nothing beyond what the server does anyway. */
  readonly neutral: readonly unknown[];
  readonly reason: string;
}

const NO_LOG_PROBABILITIES = { neutral: [false], reason: "log-probabilities are not returned" };
const NO_PENALTIES = { neutral: [0], reason: "token penalties are not applied" };
const NO_TOOLS = { neutral: [[], "none", "auto", true, false], reason: "tools are not called" };
const ONE_CHOICE = { neutral: [1], reason: "one choice is returned per request" };

/** OpenAI's parameters that are refused unless they carry a value without effect. */
export const NEUTRAL_ONLY: Readonly<Record<string, NeutralOnly>> = {
  n: ONE_CHOICE,
  best_of: ONE_CHOICE,
  echo: { neutral: [false], reason: "the prompt is not echoed" },
  suffix: { neutral: [""], reason: "text is not inserted before a suffix" },
  logprobs: NO_LOG_PROBABILITIES,
  top_logprobs: NO_LOG_PROBABILITIES,
  frequency_penalty: NO_PENALTIES,
  presence_penalty: NO_PENALTIES,
  logit_bias: { neutral: [{}], reason: "logits are not biased" },
  modalities: { neutral: [["text"]], reason: "only text is generated" },
  tools: NO_TOOLS,
  tool_choice: NO_TOOLS,
  parallel_tool_calls: NO_TOOLS,
  functions: NO_TOOLS,
  function_call: NO_TOOLS,
  store: { neutral: [false], reason: "requests are not stored" },
  service_tier: { neutral: ["auto", "default"], reason: "there are no service tiers" },
};

/**
 * Refuses what the schemas accept for compatibility but the server would not honour.
 *
 * @throws ServeError `SERVE_PARAMETER_UNSUPPORTED`, or `SERVE_REQUEST_INVALID` for `stream_options` without `stream`
 */
export function rejectUnsupported(body: SamplingRequest): void {
  for (const [param, value] of Object.entries(body)) {
    const rule = NEUTRAL_ONLY[param];
    if (rule === undefined || value === null || isAmong(value, rule.neutral)) continue;
    const allowed = rule.neutral.map((neutral) => JSON.stringify(neutral)).join(" or ");
    const message = `${param} is not supported: ${rule.reason}. Omit it or send ${allowed}.`;
    throw new ServeError("SERVE_PARAMETER_UNSUPPORTED", message, { param });
  }
  if (body.stream_options && !body.stream) {
    const message = "stream_options is only allowed when stream is true.";
    throw new ServeError("SERVE_REQUEST_INVALID", message, { param: "stream_options" });
  }
}

/**
 * Options without `maxTokens`; temperature is 1 where the client names none, as in OpenAI's API.
 *
 * @throws ServeError `SERVE_PARAMETER_UNSUPPORTED` for JSON of a model without it, `SERVE_REQUEST_INVALID`
 */
export function toGenerationOptions(body: SamplingRequest, model: ServedModel): GenerationOptions {
  const { top_p: topP, top_k: topK, stop, seed } = body;
  const jsonSchema = body.response_format && toJsonSchema(body.response_format, model);
  return {
    temperature: body.temperature ?? 1,
    ...(topP != null && { topP }),
    ...(topK != null && { topK }),
    ...(stop != null && { stop: typeof stop === "string" ? [stop] : stop }),
    ...(seed != null && { seed }),
    ...(jsonSchema && { jsonSchema }),
  };
}

/** The schema of the text, if it is to be JSON. */
function toJsonSchema(
  { type, json_schema: given }: ResponseFormat,
  { supportsJsonSchema = false }: ServedModel,
): object | undefined {
  if (type === "text") return undefined;
  if (!supportsJsonSchema) {
    const message = "response_format is not supported by this model: it generates plain text only. Omit it.";
    throw new ServeError("SERVE_PARAMETER_UNSUPPORTED", message, { param: "response_format" });
  }
  if (type === "json_object") return { type: "object" };
  if (given) return given.schema;
  const message = "response_format.json_schema is required for the type json_schema.";
  throw new ServeError("SERVE_REQUEST_INVALID", message, { param: "response_format.json_schema" });
}

/** Messages as plain text turns: text parts are joined, and `developer` is the newer name of `system`. */
export function toChatMessages(messages: ChatCompletionRequest["messages"]): ChatMessage[] {
  return messages.map(({ role, content }) => ({
    role: role === "developer" ? "system" : role,
    content: typeof content === "string" ? content : content.map((part) => part.text).join(""),
  }));
}

/** The one prompt of a completion request; the schema holds a list to one entry. */
export function toPrompt(prompt: CompletionRequest["prompt"]): string {
  return typeof prompt === "string" ? prompt : prompt[0]!;
}

function isAmong(value: unknown, values: readonly unknown[]): boolean {
  const text = JSON.stringify(value);
  return values.some((candidate) => JSON.stringify(candidate) === text);
}
