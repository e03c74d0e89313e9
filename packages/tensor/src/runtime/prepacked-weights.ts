// A store of weights in the layout that kernels multiply from, shared by sessions over the same weights.
import { TensorError } from "../errors.ts";
import { create, type Pointer } from "./c-api.ts";
import { loadRuntime } from "./library.ts";
import { forgottenObjects, NativeObject } from "./native-object.ts";

let nativeOf: (weights: PrepackedWeights) => NativeObject;

/**
 * Packed copies of weights. Sessions created with the same store and the same initializer values share one packed copy
 * of each; without a store every session packs its own. A session keeps the store alive until it is disposed itself.
 */
export class PrepackedWeights implements Disposable {
  readonly #native: NativeObject;

  static {
    nativeOf = (weights) => weights.#native;
  }

  constructor() {
    const { api } = loadRuntime();
    this.#native = new NativeObject(
      create((out) => api.CreatePrepackedWeightsContainer(out)),
      api.ReleasePrepackedWeightsContainer,
    );
    forgottenObjects.register(this, this.#native, this);
  }

  /** Gives the memory back once no session uses it. May be called again. */
  dispose(): void {
    forgottenObjects.unregister(this);
    this.#native.letGo();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** Keeps the store usable until `release` is called. For `session.ts`. */
export function holdPrepackedWeights(weights: PrepackedWeights): { pointer: Pointer; release: () => void } {
  const native = nativeOf(weights);
  if (native.isLetGo) {
    throw new TensorError(
      "TENSOR_VALUE_DISPOSED",
      "createSession: the prepacked weights were disposed before",
    );
  }
  return { pointer: native.pointer, release: native.hold() };
}
