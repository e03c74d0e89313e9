// Values on the host that are used again from step to step, for as long as their shapes stay the same.
import { Tensor, Value } from "@flacuna/tensor";

/** A tensor, and the value over its memory. */
interface Entry {
  readonly tensor: Tensor;
  readonly value: Value;
}

/** Values by name; one of another shape takes the place of the one before, which is disposed. Dispose all when done. */
export class ReusedValues implements Disposable {
  readonly #entries = new Map<string, Entry>();

  /** The value of this name with what `tensor` holds. */
  with(name: string, tensor: Tensor): Value {
    const known = this.#entries.get(name);
    if (known === undefined || !isAlike(known.tensor, tensor)) return this.#enter(name, tensor);
    known.tensor.data.set(tensor.data as never);
    return known.value;
  }

  /** The value of this name and shape, whatever it holds. */
  like(name: string, shape: readonly number[], dtype: "float32" | "int32"): Value {
    const known = this.#entries.get(name);
    if (known && isAlike(known.tensor, { dtype, shape })) return known.value;
    return this.#enter(name, Tensor.zeros(dtype, shape));
  }

  dispose(): void {
    for (const { value } of this.#entries.values()) value.dispose();
    this.#entries.clear();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #enter(name: string, tensor: Tensor): Value {
    this.#entries.get(name)?.value.dispose();
    const value = Value.fromTensor(tensor);
    this.#entries.set(name, { tensor, value });
    return value;
  }
}

const isAlike = (a: Pick<Tensor, "dtype" | "shape">, b: Pick<Tensor, "dtype" | "shape">): boolean =>
  a.dtype === b.dtype && a.shape.length === b.shape.length && a.shape.every((size, i) => size === b.shape[i]);
