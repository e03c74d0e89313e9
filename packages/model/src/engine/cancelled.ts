// What an aborted call throws; nothing else.
import { TensorError } from "@flacuna/tensor";

/** The error of a call that `signal` has ended, the same as that of a run that it ends. */
export const cancelled = (signal: AbortSignal): TensorError =>
  new TensorError("TENSOR_CANCELLED", "cancelled by its signal", { cause: signal.reason });

/** @throws TensorError `TENSOR_CANCELLED` when `signal` is aborted */
export function throwIfCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw cancelled(signal);
}
