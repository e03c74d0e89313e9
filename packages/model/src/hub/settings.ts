// Where models come from and where they are kept: options first, then the environment variables that the hub's own tools
// read. Asks nobody.
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { ModelError } from "../errors.ts";

/** Environment variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** What a caller may say in place of the environment. */
export interface HubOptions {
  /** Base URL of the hub or of a mirror; default `HF_ENDPOINT`, else https://huggingface.co. */
  readonly endpoint?: string;
  /** Access token; default `HF_TOKEN`, else what the hub's own tools have stored. `""` for none. */
  readonly token?: string;
  /** Whether nothing may be asked of the network; default `HF_HUB_OFFLINE`. */
  readonly isOffline?: boolean;
  /** The hub's cache; default `HF_HUB_CACHE`, else `HF_HOME/hub`, else ~/.cache/huggingface/hub. */
  readonly hubCacheFolder?: string;
  /** Flacuna's own cache; default `FLACUNA_CACHE`, else ~/.cache/flacuna. */
  readonly cacheFolder?: string;
  /** Base URL of a Python package index; default `PIP_INDEX_URL`, else https://pypi.org/simple. */
  readonly pythonIndex?: string;
}

/** A base URL without a slash at its end, and what to send to its origin, and to no other. */
export interface Server {
  readonly url: string;
  readonly origin: string;
  /** the value of the `Authorization` header */
  readonly authorization: string | undefined;
}

/** What is decided. */
export interface HubSettings {
  readonly hub: Server;
  readonly pythonIndex: Server;
  readonly isOffline: boolean;
  readonly hubCacheFolder: string;
  readonly cacheFolder: string;
}

/**
 * Options completed from the environment and from the token that the hub's tools have stored.
 *
 * @throws ModelError `MODEL_INVALID_ARGUMENT` for a URL or token that cannot be one; the message holds no secret
 */
export async function readSettings(
  options: HubOptions,
  environment: Environment = process.env,
): Promise<HubSettings> {
  const cacheHome = folder(environment.XDG_CACHE_HOME) ?? join(homedir(), ".cache");
  const hubHome = folder(environment.HF_HOME) ?? join(cacheHome, "huggingface");
  const { isOffline = isTrue(environment.HF_HUB_OFFLINE) || isTrue(environment.TRANSFORMERS_OFFLINE) } =
    options;
  const token = options.token ?? (await implicitToken(environment, hubHome));
  return {
    hub: hubServer(options.endpoint ?? (environment.HF_ENDPOINT || "https://huggingface.co"), token.trim()),
    pythonIndex: indexServer(options.pythonIndex ?? (environment.PIP_INDEX_URL || "https://pypi.org/simple")),
    isOffline,
    hubCacheFolder:
      options.hubCacheFolder ??
      folder(environment.HF_HUB_CACHE) ??
      folder(environment.HUGGINGFACE_HUB_CACHE) ??
      join(hubHome, "hub"),
    cacheFolder: options.cacheFolder ?? folder(environment.FLACUNA_CACHE) ?? join(cacheHome, "flacuna"),
  };
}

const isTrue = (value: string | undefined): boolean => /^(1|on|yes|true)$/i.test(value ?? "");

/** An absolute folder from a variable, which may begin with `~`; undefined where it is not set. */
function folder(value: string | undefined): string | undefined {
  return value ? resolve(value.replace(/^~(?=\/|$)/, homedir())) : undefined;
}

async function implicitToken(environment: Environment, hubHome: string): Promise<string> {
  if (environment.HF_TOKEN) return environment.HF_TOKEN;
  if (isTrue(environment.HF_HUB_DISABLE_IMPLICIT_TOKEN)) return "";
  try {
    return await readFile(folder(environment.HF_TOKEN_PATH) ?? join(hubHome, "token"), "utf8");
  } catch {
    return ""; // nobody has logged in on this machine
  }
}

function hubServer(endpoint: string, token: string): Server {
  const url = parseUrl(endpoint, "the hub's endpoint");
  if (url.username !== "" || url.password !== "") {
    throw invalid("the hub's endpoint must not hold a user or password; give the token in HF_TOKEN");
  }
  // The runtime's own complaint about such a header would show the token.
  if (!/^[\x21-\x7e]*$/.test(token)) {
    throw invalid("the hub's token holds a space or another character that no token has; check HF_TOKEN");
  }
  return server(url, token === "" ? undefined : `Bearer ${token}`);
}

function indexServer(index: string): Server {
  const url = parseUrl(index, "the Python package index");
  if (url.username === "") return server(url, undefined);
  const user = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  url.username = "";
  url.password = "";
  return server(url, `Basic ${Buffer.from(user).toString("base64")}`);
}

const server = (url: URL, authorization: string | undefined): Server => ({
  url: `${url.origin}${url.pathname}`.replace(/\/+$/, ""),
  origin: url.origin,
  authorization,
});

function parseUrl(text: string, what: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === "https:" || url?.protocol === "http:") return url;
  throw invalid(`${what} must be a URL that begins with https:// or http://`);
}

const invalid = (message: string): ModelError => new ModelError("MODEL_INVALID_ARGUMENT", message);
