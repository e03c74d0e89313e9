// One AbortSignal per request: it ends when the client goes away or the server's time to drain is over.
import type { ServerResponse } from "node:http";
import { ServeError } from "./errors.ts";

/**
 * A signal that aborts with `SERVE_CLIENT_DISCONNECTED` when the connection closes before the response is complete,
 * and with the shutdown's reason when that comes first. It watches the response, because a request counts as closed
 * as soon as its body is read; and it is no `AbortSignal.any`, which leaves a trace on a long-lived source.
 */
export function createRequestSignal(response: ServerResponse, shutdownSignal: AbortSignal): AbortSignal {
  const controller = new AbortController();
  const onShutdown = () => controller.abort(shutdownSignal.reason);
  const onClose = () => {
    shutdownSignal.removeEventListener("abort", onShutdown);
    if (response.writableFinished) return;
    controller.abort(new ServeError("SERVE_CLIENT_DISCONNECTED", "The client closed the connection."));
  };
  shutdownSignal.addEventListener("abort", onShutdown);
  if (shutdownSignal.aborted) onShutdown();
  if (response.destroyed) onClose();
  else response.once("close", onClose);
  return controller.signal;
}
