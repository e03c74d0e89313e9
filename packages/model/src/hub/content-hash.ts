// The two hashes by which the hub names a file's content: SHA-256 of what is kept beside git, git's own SHA-1 of the rest.
import { createHash, type Hash } from "node:crypto";

/** Which hash, and its value in hexadecimal. */
export interface ContentHash {
  readonly algorithm: "sha256" | "git-sha1";
  readonly digest: string;
}

/**
 * A hash to be fed with a file's content.
 *
 * @see git's format of a blob: its type and length, a zero byte, the content
 */
export function startHash(algorithm: ContentHash["algorithm"], sizeBytes: number): Hash {
  return algorithm === "sha256" ? createHash("sha256") : createHash("sha1").update(`blob ${sizeBytes}\0`);
}
