// A LLaMA checkpoint with its residual stream rotated: the same function, in coordinates without outliers, which
// rounding to 8 bits barely disturbs. Knows which parameter reads and which writes the stream.
import {
  type DType,
  hadamard as hadamardBlocks,
  isFloating,
  mulDims,
  reshape,
  type StoredWeight,
  Tensor,
  type Tracer,
  type WeightSource,
  weight,
  weightsFrom,
} from "@flacuna/tensor";
import type { LlamaConfig } from "./config.ts";
import { ModelError } from "./errors.ts";
import {
  type Coordinates,
  readResidual,
  rotationConstants,
  SIGNS,
  writeResidual,
} from "./rotate-coordinates.ts";
import { type Orthogonal, randomOrthogonal } from "./rotate-orthogonal.ts";
import { inPieces, type SliceFunction } from "./rotate-pieces.ts";

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
const normPath = (gain: string): string => gain.replace(GAIN, ".weight");

/**
 * The checkpoint with its residual stream multiplied by a random orthogonal matrix R.
 *
 * Each norm's gain goes into the weights that read it, so that norms commute with R; weights that write the stream are
 * multiplied by Rᵀ; tied embeddings become two tensors; and where 64 divides the intermediate size, `down_proj` expects
 * its input multiplied by 64-wide Hadamard blocks. Logits stay what they are, to float32's rounding.
 *
 * @param options.seed decides R; default 0
 * @throws ModelError `MODEL_UNSUPPORTED`, from reading a weight that is not stored in floating point
 * @see Ashkboos et al. 2024 (QuaRot), section 4
 */
export function rotateCheckpoint(
  config: LlamaConfig,
  source: WeightSource,
  { seed = 0 }: { readonly seed?: number } = {},
): RotatedCheckpoint {
  const R = randomOrthogonal(config.hiddenSize, seed);
  const hadamard = config.intermediateSize % HADAMARD_SIZE === 0;
  return {
    config: { ...config, tieWordEmbeddings: false },
    weights: rotatedWeights(source, { R, hadamard, isTied: config.tieWordEmbeddings }),
    hadamard,
    coordinates(path) {
      const role = roleOf(path);
      return role && coordinatesOf(role, R, hadamard);
    },
  };
}

function coordinatesOf({ norm, writes, readsBlocks }: Role, R: Orthogonal, hadamard: boolean): Coordinates {
  const scale = (path: string) => weight(path, { dtype: "float32", shape: [R.size] });
  return {
    toInput(A) {
      if (norm !== undefined) return readResidual(A, R, scale(gainPath(norm)));
      return readsBlocks && hadamard ? hadamardBlocks(A) : A;
    },
    toOutput: (B) => (writes ? writeResidual(B, R, scale(SIGNS)) : B),
  };
}

interface Rotation {
  readonly source: WeightSource;
  readonly R: Orthogonal;
  readonly signs: Tensor;
  readonly products: Products;
}

function rotatedWeights(
  source: WeightSource,
  { R, hadamard, isTied }: { readonly R: Orthogonal; readonly hadamard: boolean; readonly isTied: boolean },
): WeightSource {
  const constants = weightsFrom(rotationConstants(R));
  const signs = Tensor.fromArray("float32", [R.size], R.signs);
  const rotation = { source, R, signs, products: productsOf(R, hadamard, constants) };
  const inTurn = oneAtATime();
  return {
    get(path) {
      const constant = constants.get(path);
      if (constant !== undefined) return constant;
      const stored = source.get(isTied && path === HEAD ? EMBEDDINGS : normPath(path));
      const compute = transformOf(path);
      if (stored === undefined || compute === undefined) return stored;
      const read = async () => new Tensor("float32", stored.shape, await compute(stored, rotation, path));
      return { dtype: "float32", shape: stored.shape, read: () => inTurn(read) };
    },
  };
}

type Values = Float32Array<ArrayBuffer>;

/** Makes a parameter's rotated values. */
type Transform = (stored: StoredWeight, rotation: Rotation, path: string) => Promise<Values>;

function transformOf(path: string): Transform | undefined {
  if (path.endsWith(GAIN)) return (stored, { R }) => signedGain(stored, R);
  if (path.endsWith("norm.weight")) return async ({ shape }) => new Float32Array(shape[0]!).fill(1);
  return path === EMBEDDINGS || roleOf(path) !== undefined ? rotated : undefined;
}

async function signedGain(norm: StoredWeight, { signs }: Orthogonal): Promise<Values> {
  const gain = (await norm.read()).toNumbers();
  return Float32Array.from(gain, (value, c) => value * signs[c]!);
}

const rotated: Transform = async (stored, { source, R, signs, products }, path) => {
  if (!isFloating(stored.dtype)) throw notFloating(path, stored.dtype);
  const { norm, writes, readsBlocks } = roleOf(path) ?? {};
  const matrix = await stored.read();
  if (writes) return products[readsBlocks ? "writeFromBlocks" : "write"](matrix, signs);
  if (norm === undefined) return products.read(matrix, signs);
  const storedNorm = source.get(norm);
  if (storedNorm === undefined) throw missing(norm);
  return products.read(matrix, new Tensor("float32", [R.size], await signedGain(storedNorm, R)));
};

/** A weight's rotated values, given the scale of `readResidual` or `writeResidual`. */
type Product = (matrix: Tensor, scale: Tensor) => Promise<Values>;
type Products = Readonly<Record<"read" | "write" | "writeFromBlocks", Product>>;

function productsOf(R: Orthogonal, hadamard: boolean, weights: WeightSource): Products {
  const { size } = R;
  const toMatrix = (x: Tracer) => reshape(x, [size, mulDims(x.shape[1]!, x.shape[2]!)]);
  const read: SliceFunction = {
    outer: 1,
    inner: size,
    apply: (x, scale) => readResidual(reshape(x, [x.shape[1]!, size]), R, scale),
  };
  const write: SliceFunction = {
    outer: size,
    inner: 1,
    apply: (x, scale) => writeResidual(toMatrix(x), R, scale),
  };
  const writeFromBlocks: SliceFunction = {
    outer: size,
    inner: HADAMARD_SIZE,
    apply: (x, scale) => writeResidual(toMatrix(hadamardBlocks(x)), R, scale),
  };
  return {
    read: inPieces(read, { weights }),
    write: inPieces(write, { weights }),
    writeFromBlocks: inPieces(hadamard ? writeFromBlocks : write, { weights }),
  };
}

function missing(norm: string): ModelError {
  return new ModelError("MODEL_CHECKPOINT_MISMATCH", `the weights lack ${norm}`, {
    details: { missing: [norm] },
  });
}

function notFloating(path: string, dtype: DType): ModelError {
  return new ModelError(
    "MODEL_UNSUPPORTED",
    `${path} is stored as ${dtype}; only floating-point weights are rotated`,
    { details: { path, dtype } },
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
