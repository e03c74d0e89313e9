import { loadLanguageModel } from "@flacuna/model";
import { buildApp, listen, type TextGenerator } from "@flacuna/serve";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { NANO_BASE_FOLDER } from "./paths.ts";
import { toScoredModel, toTextGenerator } from "./wiring.ts";

let model: Awaited<ReturnType<typeof loadLanguageModel>>;
beforeAll(async () => {
  model = await loadLanguageModel(NANO_BASE_FOLDER);
});
afterAll(() => model.dispose());

const chat = {
  model: "vicuna-nano",
  messages: [{ role: "user", content: "Good morning!" }],
  max_tokens: 12,
  temperature: 0,
};

describe("toTextGenerator()", () => {
  it("serves the nano base as an OpenAI chat", async () => {
    const app = await buildApp({ generator: toTextGenerator(new Map([["vicuna-nano", model]])) });
    const response = await app.inject({ method: "POST", url: "/v1/chat/completions", payload: chat });
    expect(response.statusCode).toBe(200);
    const { choices, usage } = response.json() as {
      choices: { message: { content: string }; finish_reason: string }[];
      usage: { completion_tokens: number };
    };
    expect(choices[0]!.message.content.length).toBeGreaterThan(0);
    expect(choices[0]!.message.content).not.toContain("</s>");
    expect(usage.completion_tokens).toBeLessThanOrEqual(12);
    await app.close();
  });

  it("leaves a stop string out of the text and stops at it", async () => {
    const app = await buildApp({ generator: toTextGenerator(new Map([["vicuna-nano", model]])) });
    const whole = await app.inject({ method: "POST", url: "/v1/chat/completions", payload: chat });
    const text = (whole.json() as { choices: { message: { content: string } }[] }).choices[0]!.message
      .content;
    const stop = text.slice(3, 6);
    const response = await app.inject({
      method: "POST",
      url: "/v1/chat/completions",
      payload: { ...chat, stop },
    });
    const stopped = (response.json() as { choices: { message: { content: string } }[] }).choices[0]!.message
      .content;
    expect(stopped).toBe(text.slice(0, text.indexOf(stop)));
    await app.close();
  });
});

describe("toTextGenerator() behind a server", () => {
  const post = async (generator: TextGenerator, payload: object) => {
    const app = await buildApp({ generator });
    const response = await app.inject({ method: "POST", url: "/v1/chat/completions", payload });
    await app.close();
    return response;
  };
  const format = (schema: object) => ({
    response_format: { type: "json_schema", json_schema: { name: "answer", schema } },
  });

  it.each([false, true])("answers in JSON of the client's schema, stream %s", async (stream) => {
    const schema = {
      type: "object",
      properties: { isMorning: { type: "boolean" }, mood: { enum: ["good", "bad"] } },
      required: ["isMorning", "mood"],
      additionalProperties: false,
    };
    const generator = toTextGenerator(new Map([["vicuna-nano", model]]));
    const { body } = await post(generator, { ...chat, ...format(schema), max_tokens: 200, stream });
    const text = stream
      ? body
          .split("\n\n")
          .flatMap((event) => (event.startsWith("data: {") ? [JSON.parse(event.slice(6))] : []))
          .map(({ choices: [{ delta }] }) => delta.content ?? "")
          .join("")
      : JSON.parse(body).choices[0].message.content;
    expect(JSON.parse(text)).toEqual({
      isMorning: expect.any(Boolean),
      mood: expect.stringMatching(/^(good|bad)$/),
    });
  });

  it.each([
    [{ not: {} }, "response_format", /not/],
    [{ type: "integer", minimum: 3, maximum: 2 }, null, /allows no value/],
  ])("answers 400 for the schema %j", async (schema, param, message) => {
    const generator = toTextGenerator(new Map([["vicuna-nano", model]]));
    const response = await post(generator, { ...chat, ...format(schema) });
    expect(response.statusCode).toBe(400);
    expect(response.json().error).toMatchObject({ param, message: expect.stringMatching(message) });
  });

  it("answers 429 with Retry-After when the engine's line is full", async () => {
    const full = await loadLanguageModel(NANO_BASE_FOLDER, { maxConcurrent: 1, maxQueued: 0 });
    const running = full.generate([1, 5], { maxNewTokens: 5 });
    await running.next();
    const response = await post(toTextGenerator(new Map([["vicuna-nano", full]])), chat);
    expect(response.statusCode).toBe(429);
    expect(response.headers["retry-after"]).toBe("5");
    expect(response.json().error).toMatchObject({ code: "rate_limit_exceeded" });
    await full.dispose();
  });

  it("stops computing within a step of the client's leaving", async () => {
    const app = await buildApp({ generator: toTextGenerator(new Map([["vicuna-nano", model]])) });
    const server = await listen(app, { port: 0 });
    const leaving = new AbortController();
    const response = await fetch(`${server.url}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ ...chat, max_tokens: 500, temperature: 2, stream: true }),
      signal: leaving.signal,
    });
    await response.body!.getReader().read();
    expect(model.stats.running).toBe(1);
    leaving.abort();
    await expect.poll(() => model.stats.running).toBe(0);
    const { steps, generatedTokens } = model.stats;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(model.stats).toMatchObject({ steps, generatedTokens });
    await server.close();
  });
});

describe("toScoredModel()", () => {
  it("counts the beginning of sequence and answers every request", async () => {
    const scored = toScoredModel("vicuna", model);
    expect(scored.countTokens("")).toBe(1);
    const prompts = ["What is 2 plus 3?\nAnswer:", "The capital of Fendal is"];
    const requests = prompts.map((prompt) => ({ prompt, maxNewTokens: 4, temperature: 0 }));
    const together = await scored.generateUntil(requests);
    const alone = await Promise.all(
      requests.map(async (request) => (await scored.generateUntil([request]))[0]),
    );
    expect(together).toEqual(alone);
  });

  it("scores a likely continuation above an unlikely one", async () => {
    const scored = toScoredModel("vicuna", model);
    const context = "What is 2 plus 3?\nAnswer:";
    const [likely, unlikely] = await scored.loglikelihood([
      { context, continuation: " 5" },
      { context, continuation: " qzx" },
    ]);
    expect(likely!.logProbNats).toBeGreaterThan(unlikely!.logProbNats);
  });
});
