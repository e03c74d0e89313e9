// One GET over HTTP: redirects followed by hand so that credentials go to their own server only, and connections that
// fall silent given up. Knows neither the hub nor what is fetched.
import { ModelError } from "../errors.ts";
import { PassingFailure } from "./retry.ts";
import type { Server } from "./settings.ts";

/** An answer whose body has not been read. Either read `chunks()` to its end or leave it, or call `discard()`. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** who answered, after redirects; without path and query, which may hold a signature */
  readonly origin: string;
  /** @throws PassingFailure when the connection is lost or falls silent; the signal's reason */
  chunks(): AsyncGenerator<Uint8Array, void>;
  discard(): Promise<void>;
}

/** What a request may say. */
export interface RequestOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
}

/** Asks for a URL. */
export type Get = (url: string, options?: RequestOptions) => Promise<Answer>;

/** Silence after which a connection counts as lost. */
const IDLE_TIMEOUT_MS = 30_000;
const MAX_REDIRECTS = 5;

/**
 * A function that asks `server`, and whoever it redirects to, with its credentials sent to its own origin alone.
 *
 * @throws (the function) PassingFailure when there is no answer; ModelError `MODEL_FETCH_FAILED` for a redirect that is
 * not followed; the signal's reason
 */
export function createGet(server: Server, idleTimeoutMs: number = IDLE_TIMEOUT_MS): Get {
  return async (url, { headers = {}, signal } = {}) => {
    const silence = new AbortController();
    const timer = setTimeout(() => {
      silence.abort(new PassingFailure(`nothing came for ${idleTimeoutMs / 1000} seconds`));
    }, idleTimeoutMs);
    const connection: Connection = {
      server,
      timer,
      signal: AbortSignal.any(signal === undefined ? [silence.signal] : [silence.signal, signal]),
      // A file's hash is of its bytes as they are: nothing between may compress them.
      headers: { "accept-encoding": "identity", "user-agent": "flacuna", ...headers },
    };
    try {
      return await follow(new URL(url), connection);
    } catch (error) {
      clearTimeout(timer);
      throw understood(error, connection, new URL(url).host);
    }
  };
}

interface Connection {
  readonly server: Server;
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  readonly timer: NodeJS.Timeout;
}

async function follow(first: URL, connection: Connection): Promise<Answer> {
  const { server, headers, signal, timer } = connection;
  let url = first;
  for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
    const authorization = url.origin === server.origin ? server.authorization : undefined;
    const response = await fetch(url, {
      headers: authorization === undefined ? headers : { ...headers, authorization },
      redirect: "manual",
      signal,
    });
    timer.refresh();
    const location = response.headers.get("location");
    if (![301, 302, 303, 307, 308].includes(response.status) || location === null) {
      return toAnswer(response, url, connection);
    }
    await response.body?.cancel();
    url = redirected(url, location);
  }
  throw refused(`${first.host} redirects more than ${MAX_REDIRECTS} times`);
}

function redirected(from: URL, location: string): URL {
  const to = URL.canParse(location, from.href) ? new URL(location, from.href) : undefined;
  if (to?.protocol === "https:" || (to?.protocol === "http:" && from.protocol === "http:")) return to;
  throw refused(`${from.host} redirects to something that is not followed: no URL, or one without TLS`);
}

const refused = (message: string): ModelError => new ModelError("MODEL_FETCH_FAILED", message);

function toAnswer(response: Response, url: URL, connection: Connection): Answer {
  const { timer } = connection;
  return {
    status: response.status,
    headers: response.headers,
    origin: url.origin,
    async *chunks() {
      try {
        for await (const chunk of response.body ?? []) {
          timer.refresh();
          yield chunk;
          timer.refresh(); // the time the reader took is no silence
        }
      } catch (error) {
        throw understood(error, connection, url.host);
      } finally {
        clearTimeout(timer);
      }
    },
    async discard() {
      clearTimeout(timer);
      await response.body?.cancel().catch(() => undefined);
    },
  };
}

/** What the runtime throws as what it means: ended by the caller, fallen silent, or a connection that failed. */
function understood(error: unknown, { signal }: Connection, host: string): unknown {
  if (signal.aborted) return signal.reason;
  if (error instanceof ModelError || error instanceof PassingFailure) return error;
  const { cause = error } = error as Error;
  const { code, message } = cause as { code?: string; message?: string };
  return new PassingFailure(`${host}: ${message || code || "the connection failed"}`, { cause: error });
}
