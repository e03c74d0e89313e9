// A padded batch with its labels as the trees of tensors that the fine-tuning loss reads: only labelled positions reach the head.
import { dim, spec, Tensor } from "@flacuna/tensor";

/** Rows of token ids and labels, padded on the right; `@flacuna/data` makes such batches. */
export interface LabelledBatch {
  /** [B, T] row major */
  readonly inputIds: BigInt64Array<ArrayBufferLike>;
  /** [B, T]: the token itself where it is to be predicted, −100 elsewhere */
  readonly labels: BigInt64Array<ArrayBufferLike>;
  readonly batchSize: number;
  readonly sequenceLength: number;
}

/** What one micro-batch puts on the device. */
export interface SupervisedBatch {
  /** [B, T] int64 */
  readonly inputIds: Tensor;
  /** [N] int64: row-major positions whose next token is labelled */
  readonly positions: Tensor;
  /** [N] int64: those next tokens */
  readonly labels: Tensor;
  /** [N] float32: 1 / N each, so that the weighted sum is the mean; a batch without labels has one position of weight 0 */
  readonly weights: Tensor;
}

/** The specs of a `SupervisedBatch`. */
export const SUPERVISED_BATCH = {
  inputIds: spec("int64", [dim("B"), dim("T")]),
  positions: spec("int64", [dim("N")]),
  labels: spec("int64", [dim("N")]),
  weights: spec("float32", [dim("N")]),
} as const;

/** Labels at or below this are not predicted (−100 by convention). */
const isLabel = (label: bigint): boolean => label >= 0n;

/** The number of positions that carry loss: labels after the first column. */
export function countLabels({ labels, sequenceLength }: LabelledBatch): number {
  return labels.reduce(
    (count, label, index) => count + Number(index % sequenceLength !== 0 && isLabel(label)),
    0,
  );
}

/** The tensors of a batch: position t predicts the label at t + 1. */
export function toSupervisedBatch(batch: LabelledBatch): SupervisedBatch {
  const { batchSize, sequenceLength: T } = batch;
  const positions: bigint[] = [];
  const labels: bigint[] = [];
  batch.labels.forEach((label, index) => {
    if (index % T === 0 || !isLabel(label)) return;
    positions.push(BigInt(index - 1));
    labels.push(label);
  });
  const weight = positions.length === 0 ? 0 : 1 / positions.length;
  if (positions.length === 0) {
    positions.push(0n);
    labels.push(0n);
  }
  const N = positions.length;
  return {
    inputIds: new Tensor("int64", [batchSize, T], batch.inputIds as BigInt64Array<ArrayBuffer>),
    positions: Tensor.fromArray("int64", [N], positions),
    labels: Tensor.fromArray("int64", [N], labels),
    weights: Tensor.fromArray("float32", [N], new Array<number>(N).fill(weight)),
  };
}
