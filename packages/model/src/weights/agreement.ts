// Whether the tensors that were found are those of a configuration. Knows names and shapes, no file format.
import { type LlamaConfig, llamaParameterShapes } from "../config.ts";
import { ModelError } from "../errors.ts";

/** What disagrees between a configuration and the tensors in its files. */
export interface CheckpointMismatch {
  readonly missing: readonly string[];
  readonly unexpected: readonly string[];
  readonly misshaped: readonly string[];
}

/** Tensors that old conversions hold and no graph reads. */
const IGNORED = /\.rotary_emb\.inv_freq$/;

/**
 * Nothing when `found` holds every parameter of `config` in its shape and nothing else that matters.
 *
 * @param where what the message begins with
 * @throws ModelError `MODEL_CHECKPOINT_MISMATCH` with a `CheckpointMismatch` in `details`
 */
export function checkAgreement(
  where: string,
  config: LlamaConfig,
  found: ReadonlyMap<string, { readonly shape: readonly number[] }>,
): void {
  const shapes = llamaParameterShapes(config);
  const isKnown = (path: string) =>
    shapes.has(path) || IGNORED.test(path) || (config.tieWordEmbeddings && path === "lm_head.weight");
  const missing = [...shapes.keys()].filter((path) => !found.has(path));
  const unexpected = [...found.keys()].filter((path) => !isKnown(path));
  const misshaped: string[] = [];
  for (const [path, shape] of shapes) {
    const got = found.get(path)?.shape;
    if (got !== undefined && got.join() !== shape.join()) {
      misshaped.push(`${path}: expected [${shape.join(", ")}], got [${got.join(", ")}]`);
    }
  }
  if (missing.length + unexpected.length + misshaped.length === 0) return;
  const mismatch: CheckpointMismatch = { missing, unexpected, misshaped };
  throw new ModelError(
    "MODEL_CHECKPOINT_MISMATCH",
    `${where}: the tensors are not those of the configuration: ${describe("missing", missing)}, ` +
      `${describe("unexpected", unexpected)}, ${describe("misshaped", misshaped)}`,
    { details: { ...mismatch } },
  );
}

function describe(what: string, items: readonly string[]): string {
  const shown = items.slice(0, 3).join("; ") + (items.length > 3 ? "; …" : "");
  return `${items.length} ${what}${items.length > 0 ? ` (${shown})` : ""}`;
}
