// What a server's status means for whoever fetches a model: nothing, a failure that may pass, or an error that says what
// to do. Asks nobody.
import { ModelError } from "../errors.ts";
import type { Answer } from "./http.ts";
import { PassingFailure, retryAfterMs } from "./retry.ts";
import type { Server } from "./settings.ts";

/** Statuses that the same request may not get again. */
const PASSING = new Set([408, 425, 429, 500, 502, 503, 504]);

/** What was asked for. */
export interface Asked {
  readonly hub: Server;
  readonly repo: string;
  readonly revision: string;
  /** a file of the repository */
  readonly path?: string;
}

/** The error that a hub's answer, or that of whoever it redirects to, amounts to; undefined for a status below 300. */
export function hubRefusal(answer: Answer, asked: Asked): Error | undefined {
  const { status, headers, origin } = answer;
  if (status < 300) return undefined;
  if (PASSING.has(status)) return passing(answer);
  // A store that the hub redirects to refuses an address that has expired; the next attempt gets a new one.
  if (origin !== asked.hub.origin) return passing(answer);
  const code = headers.get("x-error-code");
  const said = serverMessage(headers, asked.hub);
  const isHub = code !== null || said !== "" || headers.has("x-request-id");
  if (!isHub && status !== 404) {
    return new PassingFailure(
      `${hostOf(origin)} answers ${status} without the hub's headers: a proxy or firewall on the way, or a mirror that wants another HF_TOKEN`,
    );
  }
  const describe = REFUSALS[code ?? ""] ?? REFUSALS[status] ?? otherRefusal;
  const [errorCode, message] = describe(asked, status);
  return new ModelError(errorCode, said === "" ? message : `${message} (the hub: ${said})`, {
    details: { status, repo: asked.repo, revision: asked.revision },
  });
}

type Description = readonly [ModelError["code"], string];

const page = ({ hub, repo }: Asked): string => `${hub.url}/${repo}`;

const noRepository = ({ hub, repo }: Asked): Description => [
  "MODEL_NOT_FOUND",
  `${repo}: ${hostOf(hub.url)} has no such model, or does not show it; check the name, and set HF_TOKEN if it is private`,
];

const notAllowed = (asked: Asked, status: number): Description => [
  "MODEL_FETCH_REFUSED",
  asked.hub.authorization === undefined
    ? `${asked.repo}: refused (${status}); set HF_TOKEN to a token that may read it`
    : `${asked.repo}: refused (${status}) with the token given; check HF_TOKEN, or what it may read`,
];

/** By the hub's own code, else by status. */
const REFUSALS: Readonly<Record<string | number, (asked: Asked, status: number) => Description>> = {
  GatedRepo: (asked) => [
    "MODEL_FETCH_REFUSED",
    `${asked.repo} is given to those who accept its terms: do so at ${page(asked)}, then set HF_TOKEN to your token`,
  ],
  RepoNotFound: noRepository,
  RevisionNotFound: ({ repo, revision }) => [
    "MODEL_NOT_FOUND",
    `${repo} has no revision ${JSON.stringify(revision)}; name a branch, a tag or a commit`,
  ],
  EntryNotFound: (asked) => [
    "MODEL_NOT_FOUND",
    `${asked.repo} has no file ${JSON.stringify(asked.path)} at ${asked.revision}`,
  ],
  401: notAllowed,
  403: notAllowed,
  404: noRepository,
};

const otherRefusal = ({ hub, repo }: Asked, status: number): Description => [
  "MODEL_FETCH_FAILED",
  `${repo}: ${hostOf(hub.url)} answers ${status}`,
];

function passing({ status, headers, origin }: Answer): PassingFailure {
  const waitMs = retryAfterMs(headers);
  return new PassingFailure(
    `${hostOf(origin)} answers ${status}`,
    waitMs === undefined ? {} : { retryAfterMs: waitMs },
  );
}

const hostOf = (url: string): string => new URL(url).host;

/** The hub's explanation, on one line, without what a terminal would obey and without the token should it be quoted. */
function serverMessage(headers: Headers, { authorization }: Server): string {
  const message = (headers.get("x-error-message") ?? "").replace(/[^\x20-\x7e]+/g, " ").trim();
  const secret = authorization?.replace(/^\w+ /, "");
  return (secret === undefined ? message : message.replaceAll(secret, "…")).slice(0, 200);
}

/** `hubRefusal` for any other server. */
export function plainRefusal(answer: Answer): Error | undefined {
  const { status, origin } = answer;
  if (status < 300) return undefined;
  if (PASSING.has(status)) return passing(answer);
  return new ModelError("MODEL_FETCH_FAILED", `${hostOf(origin)} answers ${status}`, { details: { status } });
}
