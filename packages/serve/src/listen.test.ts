import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { describe, expect, it } from "vitest";
import { buildApp } from "./app.ts";
import { createParrot, type Parrot } from "./fixtures/parrot.ts";
import { listen } from "./listen.ts";
import type { TextGenerator } from "./text-generator.ts";

const post = (url: string, body: object) =>
  fetch(`${url}/v1/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model: "parrot", prompt: "one two three", ...body }),
  });

/** A parrot that stops before its second word until it is opened or aborted. */
function createGatedParrot(): { generator: Parrot; open(): void } {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  const generator = createParrot((index, signal) => {
    if (index === 0) return Promise.resolve();
    const aborted = new Promise<void>((_resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason));
    });
    return Promise.race([opened, aborted]);
  });
  return { generator, open };
}

async function readAll(socket: Socket): Promise<string> {
  let answer = "";
  for await (const text of socket) answer += text;
  return answer;
}

describe("listen()", () => {
  it("serves loopback by default", async () => {
    const server = await listen(await buildApp({ generator: createParrot() }), { port: 0 });
    expect(server.url).toBe(`http://127.0.0.1:${server.port}`);
    expect((await fetch(`${server.url}/health`)).status).toBe(200);
    await server.close();
    await server.closed;
  });

  it("says which address it cannot have", async () => {
    const server = await listen(await buildApp({ generator: createParrot() }), { port: 0 });
    const second = listen(await buildApp({ generator: createParrot() }), { port: server.port });
    await expect(second).rejects.toMatchObject({
      code: "SERVE_LISTEN_FAILED",
      cause: { code: "EADDRINUSE" },
    });
    await server.close();
  });

  it("drains on a signal: running streams end, new requests are refused, then the port is free", async () => {
    const { generator, open } = createGatedParrot();
    const server = await listen(await buildApp({ generator }), { port: 0, signals: ["SIGUSR2"] });
    const response = await post(server.url, { stream: true });
    process.emit("SIGUSR2", "SIGUSR2");
    await expect.poll(async () => (await fetch(`${server.url}/health`)).status).toBe(503);
    expect((await post(server.url, {})).status).toBe(503);
    open();
    expect(await response.text()).toMatch(/three[\s\S]+data: \[DONE\]\n\n$/);
    await server.closed;
    expect(process.listenerCount("SIGUSR2")).toBe(0);
    await expect(fetch(`${server.url}/health`)).rejects.toThrow();
  });

  it("aborts what still runs when the time to drain is over", async () => {
    const { generator } = createGatedParrot();
    const server = await listen(await buildApp({ generator, drainTimeoutMs: 0 }), { port: 0, signals: [] });
    const response = await post(server.url, { stream: true });
    await server.close();
    expect(await response.text()).toMatch(/"code":"service_unavailable"\}\}\n\n$/);
    expect(generator.requests[0]!.signal.reason).toMatchObject({ code: "SERVE_SHUTTING_DOWN" });
  });

  it("closes although a generator ignores its signal and a silent connection is open", async () => {
    const generator = createParrot((index) => (index === 0 ? Promise.resolve() : new Promise(() => {})));
    const server = await listen(await buildApp({ generator, drainTimeoutMs: 0 }), { port: 0, signals: [] });
    const silent = connect(server.port, "127.0.0.1");
    await once(silent, "connect");
    const response = await post(server.url, { stream: true });
    await server.close();
    await expect(response.text()).rejects.toThrow();
  });

  it("refuses a request that arrives on an open connection while it drains", async () => {
    const { generator, open } = createGatedParrot();
    const server = await listen(await buildApp({ generator }), { port: 0, signals: [] });
    const running = await post(server.url, { stream: true });
    const socket = connect(server.port, "127.0.0.1").setEncoding("utf8");
    socket.write("GET /v1/models HTTP/1.1\r\n");
    await once(socket, "connect");
    // A round trip, so that the server has read the first line before it closes.
    await fetch(`${server.url}/health`).then((response) => response.text());
    const closing = server.close();
    socket.write("Host: x\r\n\r\n");
    const answer = await readAll(socket);
    expect(answer).toMatch(/^HTTP\/1\.1 503 [\s\S]+"code":"service_unavailable"/);
    expect(answer).toMatch(/retry-after: 5/i);
    open();
    await running.text();
    await closing;
  });

  it("answers a malformed HTTP request without falling over", async () => {
    const server = await listen(await buildApp({ generator: createParrot() }), { port: 0, signals: [] });
    const socket = connect(server.port, "127.0.0.1").setEncoding("utf8");
    socket.write("nonsense\r\n\r\n");
    const answer = await readAll(socket);
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(JSON.parse(answer.split("\r\n\r\n")[1]!).error).toMatchObject({ type: "invalid_request_error" });
    await server.close();
  });

  it("lets a slow reader slow its generator", async () => {
    let produced = 0;
    const generator: TextGenerator = {
      ...createParrot(),
      async *generate({ signal }) {
        while (!signal.aborted) {
          produced += 1;
          yield { type: "text-delta", text: "x".repeat(64 * 1024), tokenCount: 1 };
        }
      },
    };
    const server = await listen(await buildApp({ generator }), { port: 0, signals: [] });
    const body = JSON.stringify({ model: "parrot", prompt: "go", stream: true });
    const socket = connect(server.port, "127.0.0.1");
    const head = [
      "POST /v1/completions HTTP/1.1",
      "Host: x",
      "Content-Type: application/json",
      `Content-Length: ${body.length}`,
    ];
    socket.write(`${head.join("\r\n")}\r\n\r\n${body}`);
    // Nobody reads: production must come to rest once the socket's buffers are full.
    let before = -1;
    await expect
      .poll(
        () => {
          const rests = produced > 0 && produced === before;
          before = produced;
          return rests;
        },
        { interval: 200 },
      )
      .toBe(true);
    expect(produced).toBeLessThan(1000);
    socket.destroy();
    await server.close();
  });
});
