// One file from a server that may drop connections, ignore ranges or send something else: whole and right, or not there.
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { ModelError } from "../errors.ts";
import type { Answer, Get } from "./http.ts";
import { type Content, PartialFile } from "./partial-file.ts";
import { PassingFailure, type RetryPolicy, retrying } from "./retry.ts";

/** A file to bring. */
export interface Download extends Content {
  /** for messages */
  readonly name: string;
  readonly url: string;
  /** where it will be; only one process may bring it at a time */
  readonly path: string;
}

/** How it is brought. */
export interface DownloadContext {
  readonly get: Get;
  /** the error that an answer amounts to, for any status of 300 or more but 416 */
  refusal(answer: Answer): Error | undefined;
  readonly policy: RetryPolicy;
  readonly signal?: AbortSignal | undefined;
  /** bytes that are there, whenever there are more */
  onProgress?(doneBytes: number): void;
}

/**
 * Brings a file, going on from what an earlier call left, and puts it in its place when its hash is right.
 *
 * @throws ModelError `MODEL_FETCH_FAILED`, `MODEL_FETCH_CORRUPT` when what comes has another hash even from the start,
 * `MODEL_DISK_FULL`, `MODEL_FILE_UNREADABLE`, and what `refusal` makes; the signal's reason
 */
export async function download(item: Download, context: DownloadContext): Promise<void> {
  await mkdir(dirname(item.path), { recursive: true });
  const file = await PartialFile.open(item.path, item, context.signal);
  try {
    context.onProgress?.(file.sizeBytes);
    for (let tries = 1; ; tries++) {
      await retrying(() => receive(file, item, context), {
        policy: context.policy,
        signal: context.signal,
        progress: () => file.sizeBytes,
        what: item.name,
      });
      if (file.isRight) break;
      await file.clear();
      context.onProgress?.(0);
      if (tries === 2) {
        await file.remove();
        throw corrupt(item);
      }
    }
    await file.finish();
  } finally {
    await file.close();
  }
}

/** Asks for what is missing and appends what comes. */
async function receive(file: PartialFile, item: Download, context: DownloadContext): Promise<void> {
  const from = file.sizeBytes;
  if (from === item.sizeBytes) return;
  const headers = from === 0 ? {} : { range: `bytes=${from}-` };
  const answer = await context.get(item.url, { headers, signal: context.signal });
  let behind: number;
  try {
    behind = await bytesBehind(answer, from, file, item, context);
  } catch (error) {
    await answer.discard();
    throw error;
  }
  for await (const chunk of answer.chunks()) {
    const known = Math.min(behind, chunk.length);
    behind -= known;
    await file.append(chunk.subarray(known));
    context.onProgress?.(file.sizeBytes);
    if (file.sizeBytes === item.sizeBytes) break;
  }
  if (file.sizeBytes < item.sizeBytes) {
    throw new PassingFailure(`the connection ended after ${file.sizeBytes} of ${item.sizeBytes} bytes`);
  }
}

/** How many bytes at the beginning of the answer are there already: all of them where a server ignores ranges. */
async function bytesBehind(
  answer: Answer,
  from: number,
  file: PartialFile,
  { sizeBytes }: Download,
  { refusal }: DownloadContext,
): Promise<number> {
  const { status, headers } = answer;
  if (status === 206) {
    const [, start, total] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers.get("content-range") ?? "") ?? [];
    if (start === String(from) && (total === "*" || total === String(sizeBytes))) return 0;
    throw new PassingFailure(`asked for the bytes from ${from}, the server sends others`);
  }
  if (status === 416) {
    await file.clear(); // the server has less than came before
    throw new PassingFailure(`the server has no bytes from ${from}`);
  }
  const error = refusal(answer);
  if (error !== undefined) throw error;
  const announced = headers.has("content-encoding") ? null : headers.get("content-length");
  if (announced !== null && announced !== String(sizeBytes)) {
    throw new PassingFailure(`the server sends ${announced} bytes, the listing says ${sizeBytes}`);
  }
  return from;
}

function corrupt({ name, hash }: Download): ModelError {
  return new ModelError(
    "MODEL_FETCH_CORRUPT",
    `${name}: what the server sends does not have the hash it is listed with (${hash.algorithm} ${hash.digest}), twice; nothing of it is kept`,
    { details: { name, ...hash } },
  );
}
