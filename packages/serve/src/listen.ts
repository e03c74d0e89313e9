// Listens with an app, and closes it when the process is asked to stop.
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import type { FastifyInstance } from "fastify";
import { ServeError } from "./errors.ts";

/** Options of `listen()`. */
export interface ListenOptions {
  /** An address. Default: `127.0.0.1`, so that only this machine is served; `localhost` would drain one of its two listeners only. */
  readonly host?: string;
  /** 0 takes any free port. Default: 8000. */
  readonly port?: number;
  /** Signals that drain and close. A second one ends the process at once. Default: `SIGINT` and `SIGTERM`. */
  readonly signals?: readonly NodeJS.Signals[];
}

/** A server that accepts connections. */
export interface RunningServer {
  /** For example `http://127.0.0.1:8000`. */
  readonly url: string;
  readonly port: number;
  /** Resolves once the server has drained and closed, whoever asked for it. */
  readonly closed: Promise<void>;
  /** Drains and closes. */
  close(): Promise<void>;
}

/**
 * Starts accepting connections.
 *
 * @throws ServeError `SERVE_LISTEN_FAILED` when the address cannot be had
 */
export async function listen(app: FastifyInstance, options: ListenOptions = {}): Promise<RunningServer> {
  const { host = "127.0.0.1", port = 8000, signals = ["SIGINT", "SIGTERM"] } = options;
  const url = await app.listen({ host, port }).catch((cause: unknown) => {
    const message = `Cannot listen on ${host}:${port}; is the port taken? Choose another with port.`;
    throw new ServeError("SERVE_LISTEN_FAILED", message, { cause });
  });

  // Our handlers go as soon as closing begins: from there on a second signal has its usual effect.
  const forgetSignals = () => {
    for (const signal of signals) process.off(signal, close);
  };
  const close = async () => {
    forgetSignals();
    await app.close();
  };
  for (const signal of signals) process.on(signal, close);
  const closed = once(app.server, "close").then(forgetSignals);
  return { url, port: (app.server.address() as AddressInfo).port, closed, close };
}
