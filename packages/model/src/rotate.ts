// A LLaMA checkpoint with its residual stream rotated: the same function, in coordinates without outliers, which
// rounding to 8 bits barely disturbs. Knows which parameter reads and which writes the stream.
import {
  bfloat16ToFloat32,
  float16ToFloat32,
  type StoredWeight,
  Tensor,
  type WeightSource,
  weightsFrom,
} from "@flacuna/tensor";
import type { LlamaConfig } from "./config.ts";
import { ModelError } from "./errors.ts";
import {
  type Coordinates,
  readBlocks,
  readResidual,
  rotationConstants,
  writeResidual,
} from "./rotate-coordinates.ts";
import {
  blockHadamard,
  type Orthogonal,
  randomOrthogonal,
  rotateColumns,
  rotateRows,
} from "./rotate-orthogonal.ts";

/** A rotated checkpoint; `hadamard` goes to the graph with it, as an option of `llamaLogits` and its like. */
export interface RotatedCheckpoint {
  /** The configuration, with an output head of its own. */
  readonly config: LlamaConfig;
  /** float32, computed when read, one at a time; paths that no LLaMA has are passed on to the source. */
  readonly weights: WeightSource;
  /** Whether `down_proj` reads its input multiplied by blocks of a Hadamard matrix. */
  readonly hadamard: boolean;
  /**
   * What keeps an adapter of the projection with the weight `path` in the checkpoint's own coordinates; undefined for
   * anything else.
   */
  coordinates(path: string): Coordinates | undefined;
}

/** How a parameter stands to the residual stream. */
interface Role {
  /** The norm through which it reads the stream, beside it in the same layer. */
  readonly norm?: string;
  /** It writes the stream. */
  readonly writes?: true;
  /** Its input is multiplied by blocks of a Hadamard matrix, where the intermediate size allows it. */
  readonly readsBlocks?: true;
}

const ROLES: Readonly<Record<string, Role>> = {
  "self_attn.q_proj.weight": { norm: "input_layernorm.weight" },
  "self_attn.k_proj.weight": { norm: "input_layernorm.weight" },
  "self_attn.v_proj.weight": { norm: "input_layernorm.weight" },
  "self_attn.o_proj.weight": { writes: true },
  "mlp.gate_proj.weight": { norm: "post_attention_layernorm.weight" },
  "mlp.up_proj.weight": { norm: "post_attention_layernorm.weight" },
  "mlp.down_proj.weight": { writes: true, readsBlocks: true },
  "lm_head.weight": { norm: "model.norm.weight" },
};

/** Width of the blocks that `hadamard` of `@flacuna/tensor` multiplies by. */
const HADAMARD_SIZE = 64;

const EMBEDDINGS = "model.embed_tokens.weight";
const HEAD = "lm_head.weight";

/** The parameter's path as its layer's prefix, which is empty outside the layers, and its name there. */
function splitPath(path: string): { readonly layer: string; readonly name: string } {
  const [, layer = "", name = path] = /^(model\.layers\.\d+\.)(.+)$/.exec(path) ?? [];
  return { layer, name };
}

/** A projection's role, its norm by its whole path. */
function roleOf(path: string): Role | undefined {
  const { layer, name } = splitPath(path);
  const role = Object.hasOwn(ROLES, name) ? ROLES[name] : undefined;
  return role?.norm === undefined ? role : { ...role, norm: layer + role.norm };
}

/** What a norm's gain times the rotation's signs is called among the rotated weights. */
const GAIN = ".rotated_gain";
const gainPath = (norm: string): string => norm.replace(/\.weight$/, GAIN);

/**
 * The checkpoint with its residual stream multiplied by a random orthogonal matrix R.
 *
 * Each norm's gain goes into the weights that read it, so that norms commute with R; weights that write the stream are
 * multiplied by Rᵀ; tied embeddings become two tensors; and where 64 divides the intermediate size, `down_proj` expects
 * its input multiplied by 64-wide Hadamard blocks. Logits stay what they are, to float32's rounding.
 *
 * @param options.seed decides R; default 0
 * @throws ModelError `MODEL_UNSUPPORTED`, from reading a weight that is not stored as float32, float16 or bfloat16
 * @see Ashkboos et al. 2024 (QuaRot), section 4
 */
export function rotateCheckpoint(
  config: LlamaConfig,
  source: WeightSource,
  { seed = 0 }: { readonly seed?: number } = {},
): RotatedCheckpoint {
  const R = randomOrthogonal(config.hiddenSize, seed);
  const hadamard = config.intermediateSize % HADAMARD_SIZE === 0;
  const H = hadamard ? blockHadamard(config.intermediateSize, HADAMARD_SIZE) : undefined;
  return {
    config: { ...config, tieWordEmbeddings: false },
    weights: rotatedWeights({ source, R, H, isTied: config.tieWordEmbeddings }),
    hadamard,
    coordinates(path) {
      const role = roleOf(path);
      return role && coordinatesOf(role, R, H);
    },
  };
}

function coordinatesOf(
  { norm, writes, readsBlocks }: Role,
  R: Orthogonal,
  H: Orthogonal | undefined,
): Coordinates {
  return {
    toInput(A) {
      if (norm !== undefined) return readResidual(A, R, gainPath(norm));
      return readsBlocks && H !== undefined ? readBlocks(A, H) : A;
    },
    toOutput: (B) => (writes ? writeResidual(B, R) : B),
  };
}

interface Rotation {
  readonly source: WeightSource;
  readonly R: Orthogonal;
  readonly H: Orthogonal | undefined;
  readonly isTied: boolean;
}

function rotatedWeights(rotation: Rotation): WeightSource {
  const { source, R, H, isTied } = rotation;
  const constants = weightsFrom(rotationConstants(R, H));
  const inTurn = oneAtATime();
  return {
    get(path) {
      const constant = constants.get(path);
      if (constant !== undefined) return constant;
      const isGain = path.endsWith(GAIN);
      const stored = isGain
        ? source.get(`${path.slice(0, -GAIN.length)}.weight`)
        : source.get(isTied && path === HEAD ? EMBEDDINGS : path);
      const compute = isGain ? signedGain : transformOf(path);
      if (stored === undefined || compute === undefined) return stored;
      const { shape } = stored;
      const read = async () =>
        new Tensor("float32", shape, await compute(await floats(path, stored), rotation, path));
      return { dtype: "float32", shape, read: () => inTurn(read) };
    },
  };
}

/** Makes a parameter's rotated values of its own, which it may overwrite. */
type Transform = (values: Values, rotation: Rotation, path: string) => Values | Promise<Values>;
type Values = Float32Array<ArrayBuffer>;

function transformOf(path: string): Transform | undefined {
  if (/norm\.weight$/.test(path)) return (values) => values.fill(1);
  return path === EMBEDDINGS || roleOf(path) !== undefined ? rotated : undefined;
}

const signedGain: Transform = (gain, { R }) => gain.map((value, c) => value * R.signs[c]!);

const rotated: Transform = async (values, { source, R, H }, path) => {
  const { norm, writes, readsBlocks } = roleOf(path) ?? {};
  if (readsBlocks && H !== undefined) await rotateRows(values, H);
  if (writes) await rotateColumns(values, R);
  if (path === EMBEDDINGS) await rotateRows(values, R);
  if (norm !== undefined) await rotateRows(values, R, await gainAt(norm, source));
  return values;
};

async function gainAt(norm: string, source: WeightSource): Promise<Values> {
  const stored = source.get(norm);
  if (stored !== undefined) return floats(norm, stored);
  throw new ModelError("MODEL_CHECKPOINT_MISMATCH", `the weights lack ${norm}`, {
    details: { missing: [norm] },
  });
}

/** The stored weight as float32 in memory of its own. */
async function floats(path: string, stored: StoredWeight): Promise<Values> {
  const { dtype, data } = await stored.read();
  if (dtype === "float32") return (data as Values).slice();
  if (dtype === "float16") return float16ToFloat32(data as Uint16Array) as Values;
  if (dtype === "bfloat16") return bfloat16ToFloat32(data as Uint16Array) as Values;
  throw new ModelError(
    "MODEL_UNSUPPORTED",
    `${path} is stored as ${dtype}; only floating-point weights are rotated`,
    {
      details: { path, dtype },
    },
  );
}

/** Runs pieces of work one after another: rotating takes memory of a weight's own size. */
function oneAtATime(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const result = last.then(work);
    last = result.catch(() => undefined);
    return result;
  };
}
