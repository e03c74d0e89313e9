// The official client against a listening server: what its users rely on, over a real socket.
import OpenAI from "openai";
import { afterEach, describe, expect, it } from "vitest";
import { type AppOptions, buildApp } from "./app.ts";
import { createParrot } from "./fixtures/parrot.ts";
import { listen, type RunningServer } from "./listen.ts";

let server: RunningServer | undefined;

async function connect(options: Partial<AppOptions> = {}, apiKey = "key"): Promise<OpenAI> {
  const app = await buildApp({ generator: createParrot(), apiKeys: ["key"], ...options });
  server = await listen(app, { port: 0, signals: [] });
  return new OpenAI({ baseURL: `${server.url}/v1`, apiKey, maxRetries: 0 });
}

afterEach(async () => {
  await server?.close();
});

const messages = [{ role: "user" as const, content: "one two three" }];

describe("the openai client", () => {
  it("lists and retrieves models", async () => {
    const client = await connect();
    const ids = (await client.models.list()).data.map((model) => model.id);
    expect(ids).toEqual(["parrot", "aviary/macaw"]);
    expect((await client.models.retrieve("aviary/macaw")).owned_by).toBe("tests");
  });

  it("completes a chat", async () => {
    const answer = await (await connect()).chat.completions.create({ model: "parrot", messages });
    expect(answer.choices[0]!.message.content).toBe("one two three");
    expect(answer.usage).toEqual({ prompt_tokens: 4, completion_tokens: 3, total_tokens: 7 });
  });

  it("streams a chat into the same final answer", async () => {
    const client = await connect();
    const stream = client.chat.completions.stream({
      model: "parrot",
      messages,
      stream_options: { include_usage: true },
    });
    const answer = await stream.finalChatCompletion();
    expect(answer.choices[0]!.message.content).toBe("one two three");
    expect(answer.choices[0]!.finish_reason).toBe("stop");
    expect(answer.usage?.total_tokens).toBe(7);
  });

  it("takes an answer back as part of the next turn", async () => {
    const client = await connect();
    const first = await client.chat.completions.create({ model: "parrot", messages });
    const turns = [...messages, first.choices[0]!.message, { role: "user" as const, content: "four" }];
    const second = await client.chat.completions.create({ model: "parrot", messages: turns });
    expect(second.choices[0]!.message.content).toBe("four");
  });

  it("completes a text, streamed or not", async () => {
    const client = await connect();
    const request = { model: "parrot", prompt: "one two three", max_tokens: 2 };
    expect((await client.completions.create(request)).choices[0]!.text).toBe("one two ");
    let text = "";
    for await (const chunk of await client.completions.create({ ...request, stream: true })) {
      text += chunk.choices[0]!.text;
    }
    expect(text).toBe("one two ");
  });

  it("raises its own error classes", async () => {
    const client = await connect({ bodyLimitBytes: 10_000 });
    const create = (body: object) => client.chat.completions.create({ model: "parrot", messages, ...body });
    await expect(create({ n: 2 })).rejects.toThrow(OpenAI.BadRequestError);
    await expect(create({ model: "raven" })).rejects.toThrow(OpenAI.NotFoundError);
    await expect(create({ max_tokens: 100 })).rejects.toMatchObject({
      code: "context_length_exceeded",
      status: 400,
    });
    await expect(create({ user: "a".repeat(20_000) })).rejects.toMatchObject({ status: 413 });
  });

  it("raises AuthenticationError for a wrong key", async () => {
    const client = await connect({}, "wrong");
    await expect(client.models.list()).rejects.toThrow(OpenAI.AuthenticationError);
  });

  it("raises RateLimitError when the server is full", async () => {
    const client = await connect({ generator: createParrot(untilAborted), maxConcurrent: 1, maxQueued: 0 });
    const controller = new AbortController();
    const request = { model: "parrot", messages };
    const running = client.chat.completions.create(request, { signal: controller.signal }).catch(() => {});
    await expect.poll(async () => (await health()).running).toBe(1);
    await expect(client.chat.completions.create(request)).rejects.toThrow(OpenAI.RateLimitError);
    controller.abort();
    await running;
  });

  it("raises an error for a stream that fails half-way", async () => {
    const generator = createParrot(async (index) => {
      if (index === 1) throw new Error("broken");
    });
    const client = await connect({ generator });
    const stream = await client.completions.create({ model: "parrot", prompt: "one two", stream: true });
    const read = async () => {
      for await (const chunk of stream) expect(chunk.choices[0]!.text).toBe("one ");
    };
    await expect(read()).rejects.toThrow(OpenAI.APIError);
  });

  it("aborts the generator when it leaves a stream", async () => {
    const generator = createParrot((index, signal) =>
      index === 0 ? Promise.resolve() : untilAborted(index, signal),
    );
    const client = await connect({ generator });
    for await (const _chunk of await client.completions.create({
      model: "parrot",
      prompt: "a b c",
      stream: true,
    }))
      break;
    await expect.poll(() => generator.requests[0]!.signal.aborted).toBe(true);
    expect(generator.requests[0]!.signal.reason).toMatchObject({ code: "SERVE_CLIENT_DISCONNECTED" });
    await expect.poll(async () => (await health()).running).toBe(0);
  });

  it("aborts the generator when it gives up on an answer, and leaves the queue when it waits", async () => {
    const generator = createParrot(untilAborted);
    const client = await connect({ generator, maxConcurrent: 1 });
    const controller = new AbortController();
    const request = { model: "parrot", messages };
    const answers = [1, 2].map(() => client.chat.completions.create(request, { signal: controller.signal }));
    const outcomes = Promise.allSettled(answers);
    await expect.poll(health).toEqual({ status: "ok", running: 1, waiting: 1 });
    controller.abort();
    for (const outcome of await outcomes) expect(outcome.status).toBe("rejected");
    await expect.poll(health).toEqual({ status: "ok", running: 0, waiting: 0 });
    expect(generator.requests.every(({ signal }) => signal.aborted)).toBe(true);
  });
});

async function health(): Promise<{ running: number }> {
  return (await fetch(`${server!.url}/health`)).json() as Promise<{ running: number }>;
}

function untilAborted(_index: number, signal: AbortSignal): Promise<void> {
  return new Promise((_resolve, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason));
  });
}
