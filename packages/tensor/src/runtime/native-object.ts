// An object of the runtime with users: released once its owner let it go and nobody uses it any more.
import type { Pointer } from "./c-api.ts";

/** Counts the users of an object of the runtime and releases it after the last one. */
export class NativeObject {
  readonly pointer: Pointer;
  readonly #release: (pointer: Pointer) => void;
  #users = 0;
  #isLetGo = false;

  constructor(pointer: Pointer, release: (pointer: Pointer) => void) {
    this.pointer = pointer;
    this.#release = release;
  }

  /** True once the owner has let it go; it may still have users. */
  get isLetGo(): boolean {
    return this.#isLetGo;
  }

  /** Keeps the object alive until the returned function is called, once. */
  hold(): () => void {
    this.#users++;
    return () => {
      this.#users--;
      this.#releaseIfUnused();
    };
  }

  /** The owner's part is over. May be called again. */
  letGo(): void {
    if (this.#isLetGo) return;
    this.#isLetGo = true;
    this.#releaseIfUnused();
  }

  #releaseIfUnused(): void {
    if (this.#isLetGo && this.#users === 0) this.#release(this.pointer);
  }
}

/** Lets an object go when the owner registered with it was collected without having done so. */
export const forgottenObjects = new FinalizationRegistry<NativeObject>((object) => object.letGo());
