// What a user means by a model's name: something on this machine, or a repository on the hub. Looks at the disk only.
import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { ModelError } from "../errors.ts";

/** A model on this machine. */
export interface LocalSource {
  readonly kind: "folder" | "gguf" | "wheel";
  /** absolute */
  readonly path: string;
}

/** A model on the hub. */
export interface HubSource {
  readonly kind: "hub";
  readonly repo: string;
  readonly revision: string;
  /** one file of it, where named */
  readonly file?: string;
}

const SEGMENT = String.raw`[A-Za-z0-9](?:[\w.-]{0,94}[A-Za-z0-9_])?`;
const HUB_NAME = new RegExp(`^(${SEGMENT}(?:/${SEGMENT})?)((?:/[^/@]+)*\\.(?:gguf|safetensors))?(?:@(.+))?$`);
const REVISION = /^(?!.*\.\.)(?!.*\/\/)[\w][\w./-]*$/;

/**
 * What `name` means: a folder, `.gguf` or `.whl` that is there, else `owner/model`, `owner/model@revision` or
 * `owner/model/file.gguf` on the hub.
 *
 * @param revision a branch, tag or commit; default what the name says, else `main`
 * @throws ModelError `MODEL_NOT_FOUND` for a path with nothing at it, `MODEL_INVALID_ARGUMENT` for what is neither
 */
export async function parseModelSource(name: string, revision?: string): Promise<LocalSource | HubSource> {
  const local = await localSource(name);
  if (local !== undefined) return local;
  const [, repo, file, ofName] = HUB_NAME.exec(name) ?? [];
  if (repo === undefined || repo.includes("--") || /\.(gguf|whl|safetensors)$/.test(repo)) {
    throw new ModelError(
      "MODEL_NOT_FOUND",
      `${name}: there is no such file or folder, and a model on the hub is named owner/model`,
      { details: { model: name } },
    );
  }
  const chosen = revision ?? ofName ?? "main";
  if (!REVISION.test(chosen)) {
    throw new ModelError("MODEL_INVALID_ARGUMENT", `${JSON.stringify(chosen)} is no branch, tag or commit`);
  }
  return { kind: "hub", repo, revision: chosen, ...(file !== undefined && { file: file.slice(1) }) };
}

async function localSource(name: string): Promise<LocalSource | undefined> {
  const path = resolve(name);
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) return undefined;
  if (found.isDirectory()) return { kind: "folder", path };
  if (/\.gguf$/i.test(path)) return { kind: "gguf", path };
  if (/\.whl$/i.test(path)) return { kind: "wheel", path };
  throw new ModelError(
    "MODEL_INVALID_ARGUMENT",
    `${path}: a model is a folder or a .gguf file, this is neither`,
    { details: { path } },
  );
}
