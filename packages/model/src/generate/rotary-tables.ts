// Rotation tables on a device, as long as the longest sequence so far. Computes nothing itself.
import { type Device, Value } from "@flacuna/tensor";
import { type Rotary, type RotaryOptions, rotaryTable } from "../layers/rotary.ts";

const SHORTEST = 512;

/** Tables that grow by doubling; the shorter ones stay until `dispose`, as batches under way use them. */
export class RotaryTables {
  readonly #options: RotaryOptions;
  readonly #device: Device;
  readonly #tables: { readonly length: number; readonly rotary: Rotary<Value> }[] = [];

  constructor(options: RotaryOptions, device: Device) {
    this.#options = options;
    this.#device = device;
  }

  /** A table of at least `length` positions; not the caller's to dispose. */
  atLeast(length: number): Rotary<Value> {
    const known = this.#tables.find((table) => table.length >= length);
    if (known) return known.rotary;
    let grown = SHORTEST;
    while (grown < length) grown *= 2;
    const { cos, sin } = rotaryTable(grown, this.#options);
    const rotary = {
      cos: Value.fromTensor(cos, this.#device),
      sin: Value.fromTensor(sin, this.#device),
    };
    this.#tables.push({ length: grown, rotary });
    return rotary;
  }

  dispose(): void {
    for (const { rotary } of this.#tables.splice(0)) {
      rotary.cos.dispose();
      rotary.sin.dispose();
    }
  }
}
