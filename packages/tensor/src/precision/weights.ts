// A weight source that also gives the parts of each form, made from the checkpoint's weights when they are first read.
import { bfloat16ToFloat32, float16ToFloat32, float32ToFloat16 } from "../float16.ts";
import { Tensor } from "../tensor.ts";
import type { StoredWeight, WeightSource } from "../weights.ts";
import { packBfloat16 } from "./bfloat16.ts";
import { packInt4, quantizeInt4 } from "./int4.ts";
import { quantizeInt8 } from "./int8.ts";
import { quantizeInt16 } from "./int16.ts";
import { type Form, type MatrixSize, PARTS, type PartSpec, parsePartPath } from "./parts.ts";

type Arrays = Readonly<Record<string, Tensor["data"]>>;

/** What a form makes of a weight: the data of its parts. */
const CONVERSIONS: Readonly<Record<Form, (stored: StoredWeight, size: MatrixSize) => Promise<Arrays>>> = {
  async int8(stored, { out, in: inputs }) {
    return { ...quantizeInt8(await readFloat32(stored), out, inputs) };
  },
  async bfloat16(stored, { out, in: inputs }) {
    return { packed: packBfloat16(await readFloat32(stored), out, inputs) };
  },
  async int16(stored, { out, in: inputs }) {
    return { ...quantizeInt16(await readFloat32(stored), out, inputs) };
  },
  async int4(stored, { out, in: inputs }) {
    const { blocks } = stored;
    if (blocks !== undefined) return { ...packInt4(await blocks.read(), blocks.format, out, inputs) };
    return { ...quantizeInt4(await readFloat32(stored), out, inputs) };
  },
  async float16(stored) {
    const tensor = await stored.read();
    if (tensor.dtype === "float16") return { rows: tensor.data };
    return { rows: float32ToFloat16(floats(tensor)) };
  },
};

const readFloat32 = async (stored: StoredWeight): Promise<Float32Array> => floats(await stored.read());

function floats(tensor: Tensor): Float32Array {
  if (tensor.dtype === "float32") return tensor.data as Float32Array;
  if (tensor.dtype === "float16") return float16ToFloat32(tensor.data as Uint16Array);
  if (tensor.dtype === "bfloat16") return bfloat16ToFloat32(tensor.data as Uint16Array);
  return Float32Array.from(tensor.toNumbers());
}

const sources = new WeakMap<WeightSource, WeightSource>();

/**
 * The source with the parts of every form beside its own weights; the same object for the same source. A source may
 * give parts itself, under the names of `partPath`.
 */
export function withParts(source: WeightSource): WeightSource {
  const known = sources.get(source);
  if (known !== undefined) return known;
  const made = new PartSource(source);
  sources.set(source, made);
  sources.set(made, made);
  return made;
}

/** Converts one weight at a time, so that no more than one is in memory twice; each part is handed out once. */
class PartSource implements WeightSource {
  private readonly source: WeightSource;
  /** Parts made together with one that was asked for. */
  private readonly waiting = new Map<string, Arrays>();
  private last: Promise<unknown> = Promise.resolve();

  constructor(source: WeightSource) {
    this.source = source;
  }

  get(path: string): StoredWeight | undefined {
    const name = parsePartPath(path);
    const given = this.source.get(path);
    if (name === undefined || given !== undefined) return given;
    const stored = this.source.get(name.path);
    if (stored === undefined || stored.shape.length !== 2) return undefined;
    const size = { out: stored.shape[0]!, in: stored.shape[1]! };
    const { dtype, shape } = (PARTS[name.form](size) as Readonly<Record<string, PartSpec>>)[name.part]!;
    const read = async (): Promise<Tensor> => {
      const data = await this.take(`${name.path}#${name.form}`, name.part, () =>
        CONVERSIONS[name.form](stored, size),
      );
      return new Tensor(dtype, shape, data as never);
    };
    return { dtype, shape, read };
  }

  private take(key: string, part: string, convert: () => Promise<Arrays>): Promise<Tensor["data"]> {
    const turn = this.last.then(async () => {
      const parts = this.waiting.get(key) ?? (await convert());
      const { [part]: data, ...rest } = parts;
      if (data === undefined) return (await convert())[part]!;
      this.waiting.set(key, rest);
      return data;
    });
    this.last = turn.catch(() => undefined);
    return turn;
  }
}
