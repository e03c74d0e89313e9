// Checks `Authorization: Bearer <key>`; keys are kept only as digests and appear in no message and no log.
import { createHash, timingSafeEqual } from "node:crypto";
import { ServeError } from "./errors.ts";

/**
 * A check of an Authorization header against the keys. Comparing digests takes the same time wherever they differ.
 *
 * @throws ServeError from the check, `SERVE_API_KEY_INVALID`
 */
export function createApiKeyCheck(apiKeys: readonly string[]): (authorization: string | undefined) => void {
  const accepted = apiKeys.map(digest);
  return (authorization) => {
    const key = /^Bearer +(\S+) *$/i.exec(authorization ?? "")?.[1];
    if (key === undefined) {
      const message = "An API key is required; send the header Authorization: Bearer <key>.";
      throw new ServeError("SERVE_API_KEY_INVALID", message);
    }
    const given = digest(key);
    const isKnown = accepted.reduce((known, candidate) => timingSafeEqual(candidate, given) || known, false);
    if (!isKnown) throw new ServeError("SERVE_API_KEY_INVALID", "The API key is not valid.");
  };
}

function digest(key: string): Buffer {
  return createHash("sha256").update(key).digest();
}
