// Closing in order: refuse what is new, wait for what runs, abort what takes too long.
import type { FastifyInstance } from "fastify";
import { InFlight } from "./in-flight.ts";
import { type AdmissionQueue, shuttingDown } from "./queue.ts";

/** Aborted generations have this long to tell their clients before the connections are cut. */
const ABORT_GRACE_MS = 1000;

/** What draining acts on, and how patiently. */
export interface DrainOptions {
  readonly queue: AdmissionQueue;
  readonly shutdown: AbortController;
  readonly drainTimeoutMs: number;
}

/** Makes `app.close()` drain first. Requests that arrive meanwhile are not waited for. */
export function drainOnClose(app: FastifyInstance, { queue, shutdown, drainTimeoutMs }: DrainOptions): void {
  const inFlight = new InFlight();
  app.addHook("onRequest", async (_request, reply) => {
    if (!queue.isClosed) inFlight.add(reply.raw);
  });
  app.addHook("preClose", async () => {
    queue.close();
    if (await inFlight.settle(drainTimeoutMs)) return;
    shutdown.abort(shuttingDown());
    await inFlight.settle(ABORT_GRACE_MS);
  });
}
