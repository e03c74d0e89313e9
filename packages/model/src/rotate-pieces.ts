// A traced function over host matrices of any size, a piece at a time: little exists beside a matrix and its result.
import {
  allocateArray,
  cast,
  compile,
  type DType,
  dim,
  type Executable,
  reshape,
  spec,
  Tensor,
  type Tracer,
  type TypedArray,
  trace,
  Value,
  type WeightSource,
} from "@flacuna/tensor";

/** Elements of a piece, 4 MB of float32: computed in some milliseconds, beside which starting a run is nothing. */
const PIECE_ELEMENTS = 2 ** 20;

/** How a matrix is seen: as [outer, K, inner], whose middle axis is cut into pieces. */
interface Cut {
  readonly outer: number;
  readonly inner: number;
}

/** A function that treats each index of the middle axis by itself. */
export interface SliceFunction extends Cut {
  /** x [outer, K, inner] in float32, and a vector, to a result of x's elements. */
  apply(x: Tracer, vector: Tracer): Tracer;
}

/**
 * The function on host matrices, computed by the runtime. Compiled when first called, for each dtype; released with the
 * last reference to it.
 *
 * @param options.weights the constants that the function mentions
 */
export function inPieces(
  { outer, inner, apply }: SliceFunction,
  options: { readonly weights: WeightSource; readonly pieceElements?: number },
): (matrix: Tensor, vector: Tensor) => Promise<Float32Array<ArrayBuffer>> {
  const { weights, pieceElements = PIECE_ELEMENTS } = options;
  const executables = new Map<DType, Promise<Executable>>();
  const compileFor = (dtype: DType, { shape }: Tensor): Promise<Executable> => {
    const program = trace(
      (x, vector) => ({ y: reshape(apply(cast(x, "float32"), vector), x.shape) }),
      [spec(dtype, [outer, dim("K"), inner]), spec("float32", shape)],
    );
    // The same values on machines that cannot build native kernels.
    return compile(program, { weights, kernels: false });
  };
  return async (matrix, vector) => {
    const compiled = executables.get(matrix.dtype) ?? compileFor(matrix.dtype, vector);
    executables.set(matrix.dtype, compiled);
    const executable = await compiled;
    const result = new Float32Array(matrix.size);
    for (const { x, y } of pieces(matrix, result, { outer, inner, pieceElements })) {
      using into = Value.fromTensor(y);
      await executable.run([x, vector], { into: new Map([["y", into]]) });
    }
    return result;
  };
}

/** Each piece of a matrix, and a tensor for its result, to be filled before the next is asked for. */
function* pieces(
  { dtype, data }: Tensor,
  result: Float32Array,
  { outer, inner, pieceElements }: Cut & { readonly pieceElements: number },
): Generator<{ readonly x: Tensor; readonly y: Tensor }> {
  const count = data.length / (outer * inner);
  const step = Math.max(1, Math.floor(pieceElements / (outer * inner)));
  // What lies together is read and written where it is.
  const isTogether = outer === 1 || count <= step;
  const room = isTogether ? 0 : outer * step * inner;
  const [xRoom, yRoom] = [allocateArray(dtype, room), new Float32Array(room)];
  for (let first = 0; first < count; first += step) {
    const size = Math.min(step, count - first);
    const [start, length] = [first * inner, outer * size * inner];
    const runs = { start, stride: count * inner, length: size * inner };
    const x = isTogether
      ? data.subarray(start, start + length)
      : gather(data, runs, xRoom.subarray(0, length));
    const y = isTogether ? result.subarray(start, start + length) : yRoom.subarray(0, length);
    const shape = [outer, size, inner];
    yield { x: new Tensor(dtype, shape, x), y: new Tensor("float32", shape, y) };
    if (!isTogether) scatter(y, runs, result);
  }
}

/** Equal runs of an array's elements, `stride` from start to start. */
interface Runs {
  readonly start: number;
  readonly stride: number;
  readonly length: number;
}

/** Fills `piece` with the runs, one after another. */
function gather<A extends TypedArray>(from: A, { start, stride, length }: Runs, piece: A): A {
  for (let at = 0, run = start; at < piece.length; at += length, run += stride) {
    piece.set(from.subarray(run, run + length) as never, at);
  }
  return piece;
}

/** Writes `piece` to the runs. */
function scatter(piece: Float32Array, { start, stride, length }: Runs, to: Float32Array): void {
  for (let at = 0, run = start; at < piece.length; at += length, run += stride) {
    to.set(piece.subarray(at, at + length), run);
  }
}
