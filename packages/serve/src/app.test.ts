import { describe, expect, it } from "vitest";
import { type AppOptions, buildApp } from "./app.ts";
import { ServeError } from "./errors.ts";
import { createParrot } from "./fixtures/parrot.ts";

/** With default options; the tests that share it leave nothing behind. */
const app = await buildApp({ generator: createParrot() });

const build = (options: Partial<AppOptions> = {}) => buildApp({ generator: createParrot(), ...options });

const completion = (payload: object) => ({
  method: "POST" as const,
  url: "/v1/completions",
  payload: { model: "parrot", prompt: "one two three", ...payload },
});

const chat = (payload: object) => ({
  method: "POST" as const,
  url: "/v1/chat/completions",
  payload: { model: "parrot", messages: [{ role: "user", content: "one two three" }], ...payload },
});

const parseEvents = (body: string) => {
  const data = body.split("\n\n").filter((event) => event !== "");
  return data.map((event) => {
    expect(event).toMatch(/^data: /);
    const text = event.slice("data: ".length);
    return text === "[DONE]" ? text : JSON.parse(text);
  });
};

describe("buildApp()", () => {
  it("does not listen", () => {
    expect(app.server.listening).toBe(false);
  });

  it.each([
    { maxConcurrent: 0 },
    { maxQueued: -1 },
    { bodyLimitBytes: 1.5 },
    { apiKeys: [""] },
    { apiKeys: ["two words"] },
  ])("rejects the option %o", async (option) => {
    await expect(build(option)).rejects.toMatchObject({ code: "SERVE_OPTIONS_INVALID" });
  });
});

describe("GET /v1/models", () => {
  it("lists every model with its context length", async () => {
    const response = await app.inject("/v1/models");
    expect(response.json()).toEqual({
      object: "list",
      data: [
        { id: "parrot", object: "model", created: 1_700_000_000, owned_by: "tests", max_model_len: 32 },
        { id: "aviary/macaw", object: "model", created: 1_700_000_001, owned_by: "tests", max_model_len: 32 },
      ],
    });
  });

  it("finds a model whose id has a slash", async () => {
    const response = await app.inject("/v1/models/aviary%2Fmacaw");
    expect(response.json().id).toBe("aviary/macaw");
  });

  it("answers 404 for a model it does not have", async () => {
    const response = await app.inject("/v1/models/raven");
    expect(response.statusCode).toBe(404);
    expect(response.json().error).toMatchObject({ code: "model_not_found", param: "model" });
  });
});

describe("POST /v1/completions", () => {
  it("continues the prompt and counts its tokens", async () => {
    const response = await app.inject(completion({ max_tokens: 2 }));
    expect(response.statusCode).toBe(200);
    expect(response.json()).toMatchObject({
      id: expect.stringMatching(/^cmpl-/),
      object: "text_completion",
      model: "parrot",
      choices: [{ index: 0, text: "one two ", finish_reason: "length", logprobs: null }],
      usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 },
    });
  });

  it("hands every option to the generator", async () => {
    const generator = createParrot();
    const app = await build({ generator });
    const sampling = { temperature: 0.5, top_p: 0.9, top_k: 40, stop: "x", seed: 7, max_tokens: 9 };
    await app.inject(completion(sampling));
    expect(generator.requests[0]!.options).toEqual({
      temperature: 0.5,
      topP: 0.9,
      topK: 40,
      stop: ["x"],
      seed: 7,
      maxTokens: 9,
    });
  });

  it("generates 16 tokens at temperature 1 unless told otherwise", async () => {
    const generator = createParrot();
    await (await build({ generator })).inject(completion({ temperature: null }));
    expect(generator.requests[0]!.options).toEqual({ temperature: 1, maxTokens: 16 });
  });

  it("streams text, then the reason, then [DONE]", async () => {
    const response = await app.inject(completion({ stream: true }));
    expect(response.headers["content-type"]).toBe("text/event-stream; charset=utf-8");
    const events = parseEvents(response.body);
    expect(events.pop()).toBe("[DONE]");
    expect(events.map((event) => event.choices[0].text)).toEqual(["one ", "two ", "three", ""]);
    expect(events.map((event) => event.choices[0].finish_reason)).toEqual([null, null, null, "stop"]);
    expect(events[0]).not.toHaveProperty("usage");
  });
});

describe("POST /v1/chat/completions", () => {
  it("answers as the assistant and fills the rest of the context", async () => {
    const generator = createParrot();
    const response = await (await build({ generator })).inject(chat({}));
    expect(response.json()).toMatchObject({
      object: "chat.completion",
      choices: [
        {
          index: 0,
          message: { role: "assistant", content: "one two three", refusal: null },
          finish_reason: "stop",
        },
      ],
      usage: { prompt_tokens: 4, completion_tokens: 3, total_tokens: 7 },
    });
    expect(generator.requests[0]!.options.maxTokens).toBe(28);
  });

  it("joins text parts and takes developer for system", async () => {
    const generator = createParrot();
    const parts = [
      { type: "text", text: "a" },
      { type: "text", text: "b" },
    ];
    const messages = [
      { role: "developer", content: "be brief" },
      { role: "user", content: parts },
    ];
    await (await build({ generator })).inject(chat({ messages }));
    expect(generator.requests[0]!.prompt).toBe("system: be brief\nuser: ab");
  });

  it("opens a stream with the role and closes it with the usage on request", async () => {
    const payload = { stream: true, stream_options: { include_usage: true }, max_completion_tokens: 1 };
    const events = parseEvents((await app.inject(chat(payload))).body);
    const id = events[0].id;
    expect(events).toMatchObject([
      { id, object: "chat.completion.chunk", choices: [{ delta: { role: "assistant" } }], usage: null },
      { id, choices: [{ delta: { content: "one " }, finish_reason: null }], usage: null },
      { id, choices: [{ delta: {}, finish_reason: "length" }], usage: null },
      { id, choices: [], usage: { prompt_tokens: 4, completion_tokens: 1, total_tokens: 5 } },
      "[DONE]",
    ]);
  });
});

describe("response_format", () => {
  const schema = { type: "object", properties: { name: { type: "string" } } };
  const jsonSchema = (given: object) => ({ type: "json_schema", json_schema: given });

  it.each([
    [jsonSchema({ name: "who", schema, strict: true }), schema],
    [{ type: "json_object" }, { type: "object" }],
    [{ type: "text" }, undefined],
    [null, undefined],
  ])("hands the schema of %j to the generator", async (format, expected) => {
    const generator = createParrot();
    const app = await build({ generator });
    for (const request of [chat, completion]) {
      expect((await app.inject(request({ response_format: format }))).statusCode).toBe(200);
    }
    expect(generator.requests.map(({ options }) => options.jsonSchema)).toEqual([expected, expected]);
  });

  it.each([
    [{ type: "json_schema" }, "response_format.json_schema", /is required for the type json_schema/],
    [jsonSchema({ name: "who" }), "response_format.json_schema.schema", /is required/],
    [jsonSchema({ name: "who", schema: "{}" }), "response_format.json_schema.schema", /must be object/],
    [{ type: "xml" }, "response_format.type", /must be one of "text","json_object","json_schema"/],
  ])("refuses %j", async (format, param, message) => {
    const response = await app.inject(chat({ response_format: format }));
    expect(response.statusCode).toBe(400);
    expect(response.json().error).toMatchObject({ code: "invalid_value", param });
    expect(response.json().error.message).toMatch(message);
  });

  it("is refused by a model that cannot be held to it", async () => {
    const format = { response_format: { type: "json_object" }, model: "aviary/macaw" };
    const response = await app.inject(chat(format));
    expect(response.statusCode).toBe(400);
    expect(response.json().error).toMatchObject({ code: "unsupported_parameter", param: "response_format" });
  });

  it.each([false, true])("passes the generator's word on a schema on as 400, stream %s", async (stream) => {
    const generator = createParrot(async () => {
      throw new ServeError("SERVE_REQUEST_INVALID", "#: not is not supported", { param: "response_format" });
    });
    const app = await build({ generator });
    const response = await app.inject(chat({ response_format: { type: "json_object" }, stream }));
    expect(response.statusCode).toBe(400);
    expect(response.json().error).toMatchObject({
      message: "#: not is not supported",
      param: "response_format",
    });
  });
});

describe("error envelope", () => {
  it.each([
    ["a missing field", chat({ messages: undefined }), "messages", "messages is required."],
    ["a wrong type", completion({ temperature: "hot" }), "temperature", "temperature must be number."],
    ["a value out of range", completion({ top_p: 0 }), "top_p", "top_p must be > 0."],
    ["an unknown field", completion({ tempreature: 1 }), "tempreature", /not a parameter of this endpoint/],
    ["several prompts", completion({ prompt: ["a", "b"] }), "prompt", /must NOT have more than 1 items/],
    ["token ids", completion({ prompt: 7 }), "prompt", "prompt must be string or must be array."],
    [
      "a lone stream_options",
      completion({ stream_options: {} }),
      "stream_options",
      /only allowed when stream/,
    ],
    [
      "an image",
      chat({ messages: [{ role: "user", content: [{ type: "image_url", text: "" }] }] }),
      "messages.0.content.0.type",
      'messages.0.content.0.type must be one of "text".',
    ],
  ])("names the field for %s", async (_case, request, param, message) => {
    const response = await app.inject(request);
    expect(response.statusCode).toBe(400);
    const { error } = response.json();
    expect(error).toMatchObject({ type: "invalid_request_error", code: "invalid_value", param });
    expect(error.message).toMatch(message);
  });

  it.each([
    ["n", 2],
    ["logprobs", 5],
    ["echo", true],
    ["frequency_penalty", 0.5],
    ["tools", [{ type: "function" }]],
  ])("refuses %s: %o and says why", async (param, value) => {
    const response = await app.inject(completion({ [param]: value }));
    expect(response.statusCode).toBe(400);
    expect(response.json().error).toMatchObject({
      code: "unsupported_parameter",
      param,
      message: expect.stringMatching(/is not supported: .+ Omit it or send/),
    });
  });

  it("accepts values without effect", async () => {
    const payload = { n: 1, echo: false, frequency_penalty: 0, logit_bias: {}, stop: null, user: "me" };
    expect((await app.inject(completion(payload))).statusCode).toBe(200);
  });

  it.each([
    [completion({ max_tokens: 30 }), "prompt", /32 tokens; you requested 33 tokens \(3 in the prompt, 30/],
    [chat({ max_tokens: 29 }), "messages", /you requested 33 tokens \(4 in the prompt, 29/],
    [
      chat({ messages: [{ role: "user", content: "a ".repeat(40) }] }),
      "messages",
      /at least 1 in the completion/,
    ],
  ])("tells how far a request exceeds the context, case %#", async (request, param, message) => {
    const response = await app.inject(request);
    expect(response.statusCode).toBe(400);
    expect(response.json().error).toMatchObject({ code: "context_length_exceeded", param });
    expect(response.json().error.message).toMatch(message);
  });

  it.each([
    ["an unknown model", completion({ model: "raven" }), 404, "model_not_found"],
    ["an unknown route", { url: "/v1/embeddings" }, 404, "unknown_url"],
    [
      "a body that is not JSON",
      { ...completion({}), payload: "{", headers: { "content-type": "application/json" } },
      400,
      "invalid_value",
    ],
    [
      "a form",
      { ...completion({}), payload: "a=b", headers: { "content-type": "text/plain" } },
      415,
      "unsupported_media_type",
    ],
    ["a malformed URL", { url: "/v1/models/%zz" }, 400, "invalid_value"],
    ["a large body", completion({ prompt: "a".repeat(2000) }), 413, "request_too_large"],
  ])("answers %s", async (_case, request, status, code) => {
    const response = await (await build({ bodyLimitBytes: 1000 })).inject(request as ReturnType<typeof chat>);
    expect(response.statusCode).toBe(status);
    expect(response.json()).toEqual({
      error: {
        message: expect.any(String),
        type: "invalid_request_error",
        param: code === "model_not_found" ? "model" : null,
        code,
      },
    });
  });

  it.each([false, true])(
    "is a 500 when the generator fails before its first token, stream %s",
    async (stream) => {
      const generator = createParrot(async () => {
        throw new Error("secret path");
      });
      const response = await (await build({ generator })).inject(chat({ stream }));
      expect(response.statusCode).toBe(500);
      expect(response.json().error).toMatchObject({ type: "server_error", code: "generation_failed" });
      expect(response.body).not.toContain("secret");
    },
  );

  it("is the last event of a stream that fails later", async () => {
    const generator = createParrot(async (index) => {
      if (index === 1) throw new Error("out of memory");
    });
    const response = await (await build({ generator })).inject(completion({ stream: true }));
    expect(response.statusCode).toBe(200);
    const events = parseEvents(response.body);
    expect(events).toMatchObject([{ choices: [{ text: "one " }] }, { error: { code: "generation_failed" } }]);
  });

  it("is a 500 when the generator ends without a reason", async () => {
    const generator = { ...createParrot(), async *generate() {} };
    const response = await (await build({ generator })).inject(completion({}));
    expect(response.json().error).toMatchObject({ code: "generation_failed" });
  });

  it.each([undefined, null, "text", {}])("is a 500 even for a thrown %o", async (thrown) => {
    const generator = createParrot(async () => {
      throw thrown;
    });
    const response = await (await build({ generator })).inject(completion({}));
    expect(response.statusCode).toBe(500);
    expect(response.json().error.code).toBe("generation_failed");
  });

  it("is an internal error when counting tokens fails", async () => {
    const generator = {
      ...createParrot(),
      countTokens: () => {
        throw new TypeError("bug");
      },
    };
    const response = await (await build({ generator })).inject(completion({}));
    expect(response.statusCode).toBe(500);
    expect(response.json().error).toMatchObject({ type: "server_error", code: "internal_error" });
  });
});

describe("admission", () => {
  const createGate = () => {
    let open = () => {};
    const opened = new Promise<void>((resolve) => {
      open = resolve;
    });
    return { open, opened };
  };

  it("answers 429 with Retry-After when the queue is full, and serves the others", async () => {
    const gate = createGate();
    const generator = createParrot(() => gate.opened);
    const app = await build({ generator, maxConcurrent: 1, maxQueued: 1, retryAfterSeconds: 3 });
    const admitted = [app.inject(completion({})), app.inject(completion({}))];
    await expect
      .poll(async () => (await app.inject("/health")).json())
      .toEqual({ status: "ok", running: 1, waiting: 1 });
    const refused = await app.inject(completion({ stream: true }));
    expect(refused.statusCode).toBe(429);
    expect(refused.headers["retry-after"]).toBe("3");
    expect(refused.json().error).toMatchObject({ type: "rate_limit_error", code: "rate_limit_exceeded" });
    gate.open();
    expect((await Promise.all(admitted)).map((response) => response.statusCode)).toEqual([200, 200]);
    expect((await app.inject("/health")).json()).toEqual({ status: "ok", running: 0, waiting: 0 });
  });

  it("answers 429 with Retry-After when the generator takes no more", async () => {
    const generator = createParrot(async () => {
      throw new ServeError("SERVE_OVERLOADED", "busy", { retryAfterSeconds: 2 });
    });
    for (const stream of [false, true]) {
      const refused = await (await build({ generator })).inject(completion({ stream }));
      expect(refused.statusCode).toBe(429);
      expect(refused.headers["retry-after"]).toBe("2");
      expect(refused.json().error).toMatchObject({ type: "rate_limit_error", code: "rate_limit_exceeded" });
    }
  });

  it("gives the place back after a failure", async () => {
    const generator = createParrot(async () => {
      throw new Error("broken");
    });
    const app = await build({ generator, maxConcurrent: 1, maxQueued: 0 });
    await app.inject(completion({ stream: true }));
    await app.inject(completion({}));
    expect((await app.inject("/health")).json().running).toBe(0);
  });
});

describe("API keys", () => {
  const withKey = (authorization: string) => ({ ...completion({}), headers: { authorization } });

  it.each(["", "Bearer", "Bearer wrong", "Basic right", "right"])("refuses the header %o", async (header) => {
    const response = await (await build({ apiKeys: ["right"] })).inject(withKey(header));
    expect(response.statusCode).toBe(401);
    expect(response.headers["www-authenticate"]).toBe("Bearer");
    expect(response.json().error.code).toBe("invalid_api_key");
    expect(response.body).not.toContain("wrong");
  });

  it.each(["Bearer right", "bearer also-right"])("accepts the header %o", async (header) => {
    const response = await (await build({ apiKeys: ["right", "also-right"] })).inject(withKey(header));
    expect(response.statusCode).toBe(200);
  });

  it("leaves /health open", async () => {
    expect((await (await build({ apiKeys: ["right"] })).inject("/health")).statusCode).toBe(200);
  });
});

describe("log", () => {
  it("holds no prompt, answer, key or foreign error message at any level", async () => {
    const lines: string[] = [];
    const logger = { level: "trace", stream: { write: (line: string) => void lines.push(line) } };
    const generator = createParrot(async (index) => {
      if (index === 2) throw new Error("while reading PROMPT-TEXT");
    });
    const app = await build({ generator, logger, apiKeys: ["KEY-TEXT"] });
    const headers = { authorization: "Bearer KEY-TEXT" };
    const prompt = "PROMPT-TEXT PROMPT-TEXT PROMPT-TEXT";
    await app.inject({ ...completion({ prompt }), headers });
    await app.inject({ ...completion({ prompt, stream: true }), headers });
    await app.inject({ ...completion({ prompt, temperature: "PROMPT-TEXT" }), headers });
    await app.inject({ ...completion({ prompt }), headers: { authorization: "Bearer KEY-TEXT-NOT" } });
    await app.inject({
      ...completion({}),
      payload: "PROMPT-TEXT",
      headers: { ...headers, "content-type": "application/json" },
    });
    await app.inject({ url: "/v1/models?q=PROMPT-TEXT", headers });
    const log = lines.join("");
    expect(log).toContain("SERVE_GENERATION_FAILED");
    expect(log).toContain("SERVE_REQUEST_INVALID");
    expect(log).not.toMatch(/PROMPT-TEXT|KEY-TEXT/);
  });
});
