// A padded or packed batch with its labels as the trees of tensors that the fine-tuning loss reads: only labelled positions reach the head.
import { dim, spec, Tensor } from "@flacuna/tensor";

/** Rows of token ids and labels, padded on the right; `@flacuna/data` makes such batches. */
export interface LabelledBatch {
  /** [B, T] row major */
  readonly inputIds: BigInt64Array<ArrayBufferLike>;
  /** [B, T]: the token itself where it is to be predicted, −100 elsewhere */
  readonly labels: BigInt64Array<ArrayBufferLike>;
  /** [B, T]: where in its row each token's document begins; every row one document by default */
  readonly starts?: Int32Array<ArrayBufferLike>;
  readonly batchSize: number;
  readonly sequenceLength: number;
}

/** What one micro-batch puts on the device. */
export interface SupervisedBatch {
  /** [B, T] int64 */
  readonly inputIds: Tensor;
  /** [B, T] int32: where in its row each token's document begins, which is all it attends to */
  readonly starts: Tensor;
  /** [N] int64: row-major positions whose next token is labelled */
  readonly positions: Tensor;
  /** [N] int64: those next tokens */
  readonly labels: Tensor;
  /**
   * [N] float32: 1 / N each, so that the weighted sum is the mean over the labelled tokens of the micro-batch, whichever
   * documents they are of; a batch without labels has one position of weight 0
   */
  readonly weights: Tensor;
}

/** The specs of a `SupervisedBatch`. */
export const SUPERVISED_BATCH = {
  inputIds: spec("int64", [dim("B"), dim("T")]),
  starts: spec("int32", [dim("B"), dim("T")]),
  positions: spec("int64", [dim("N")]),
  labels: spec("int64", [dim("N")]),
  weights: spec("float32", [dim("N")]),
} as const;

/** Labels at or below this are not predicted (−100 by convention). */
const isLabel = (label: bigint): boolean => label >= 0n;

/** Where labels are that a position carries loss for: not the first of a row or document, which nothing predicts. */
function* labelled({ labels, starts, sequenceLength: T }: LabelledBatch): Generator<number> {
  for (const [index, label] of labels.entries()) {
    if (isLabel(label) && index % T > (starts?.[index] ?? 0)) yield index;
  }
}

/** The number of positions that carry loss. */
export const countLabels = (batch: LabelledBatch): number => [...labelled(batch)].length;

/** The tensors of a batch: position t predicts the label at t + 1, when both are of one document. */
export function toSupervisedBatch(batch: LabelledBatch): SupervisedBatch {
  const { batchSize, sequenceLength } = batch;
  const shape = [batchSize, sequenceLength];
  const starts = batch.starts ?? new Int32Array(batchSize * sequenceLength);
  const indices = [...labelled(batch)];
  const positions = indices.map((index) => BigInt(index - 1));
  const labels = indices.map((index) => batch.labels[index]!);
  const weight = positions.length === 0 ? 0 : 1 / positions.length;
  if (positions.length === 0) {
    positions.push(0n);
    labels.push(0n);
  }
  const N = positions.length;
  return {
    inputIds: new Tensor("int64", shape, batch.inputIds as BigInt64Array<ArrayBuffer>),
    starts: new Tensor("int32", shape, starts as Int32Array<ArrayBuffer>),
    positions: Tensor.fromArray("int64", [N], positions),
    labels: Tensor.fromArray("int64", [N], labels),
    weights: Tensor.fromArray("float32", [N], new Array<number>(N).fill(weight)),
  };
}
