// A micro-batch as it comes over the wire, as the tensors that our trainers take.
import { type SupervisedBatch, toSupervisedBatch } from "@flacuna/lora";
import type { Batch } from "./protocol.ts";

/** The tensors of a micro-batch, made before any clock starts. */
export function toTensors({ inputIds, labels, starts }: Batch): SupervisedBatch {
  const flat = (rows: readonly (readonly number[])[]) => BigInt64Array.from(rows.flat(), BigInt);
  return toSupervisedBatch({
    inputIds: flat(inputIds),
    labels: flat(labels),
    ...(starts !== undefined && { starts: Int32Array.from(starts.flat()) }),
    batchSize: inputIds.length,
    sequenceLength: inputIds[0]!.length,
  });
}
