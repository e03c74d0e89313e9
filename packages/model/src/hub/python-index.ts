// Where a file of a package lies, by a Python package index's simple API, in JSON or HTML.
import { ModelError } from "../errors.ts";
import type { Answer, Get } from "./http.ts";
import { plainRefusal } from "./refusal.ts";
import { type RetryPolicy, retrying } from "./retry.ts";
import type { Server } from "./settings.ts";

const JSON_TYPE = "application/vnd.pypi.simple.v1+json";

/**
 * The URL of `file`, one of the files of `project`.
 *
 * @throws ModelError `MODEL_FETCH_FAILED`; the signal's reason
 * @see PEP 691 (JSON) and PEP 503 (HTML)
 */
export async function findPackageFile(
  { project, file }: { readonly project: string; readonly file: string },
  options: {
    readonly index: Server;
    readonly get: Get;
    readonly policy: RetryPolicy;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<string> {
  const { index, get, policy, signal } = options;
  const page = `${index.url}/${project}/`;
  const { text, type } = await retrying(
    async () => {
      const headers = { accept: `${JSON_TYPE}, text/html;q=0.5` };
      return readText(await get(page, { headers, signal }));
    },
    { policy, signal, what: `${project} at ${new URL(page).host}` },
  );
  const found = type.includes("json") ? inJson(text, file) : inHtml(text, file);
  if (found !== undefined && URL.canParse(found, page)) return new URL(found, page).href;
  throw new ModelError("MODEL_FETCH_FAILED", `${new URL(page).host} lists no ${file} of ${project}`);
}

async function readText(answer: Answer): Promise<{ text: string; type: string }> {
  const error = plainRefusal(answer);
  if (error !== undefined) {
    await answer.discard();
    throw error;
  }
  const parts: Uint8Array[] = [];
  for await (const chunk of answer.chunks()) parts.push(chunk);
  return {
    text: Buffer.concat(parts).toString("utf8"),
    type: answer.headers.get("content-type") ?? "",
  };
}

function inJson(text: string, file: string): string | undefined {
  try {
    const { files } = JSON.parse(text) as { files: readonly { filename: string; url: string }[] };
    return files.find(({ filename }) => filename === file)?.url;
  } catch {
    return undefined;
  }
}

/** The target of the link whose text is the file's name. */
function inHtml(text: string, file: string): string | undefined {
  for (const [, href, label] of text.matchAll(/<a\s[^>]*?href="([^"]+)"[^>]*>([^<]*)<\/a>/gi)) {
    if (label!.trim() === file) return href!.replaceAll("&amp;", "&").replace(/#.*$/, "");
  }
  return undefined;
}
