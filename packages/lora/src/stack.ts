// Several adapters of one model side by side, so that every row of a batch can go through one of its own.
import { type AdapterStack, type Linear, linear } from "@flacuna/model";
import {
  add,
  constant,
  equal,
  matmul,
  reshape,
  type StoredWeight,
  Tensor,
  type Tracer,
  weight,
  where,
} from "@flacuna/tensor";
import { type Adapter, fitAdapter, type LoraPair, type ParameterShapes } from "./adapter.ts";
import { scalingOf } from "./config.ts";

/** The factors of one module of all adapters that have it. */
interface StackedModule {
  /** [R] the index of the adapter that each of the R ranks is of */
  readonly owners: readonly number[];
  readonly parts: readonly { readonly factors: LoraPair<Tensor>; readonly scaling: number }[];
}

/**
 * Adapters by name, for `loadLanguageModel` of `@flacuna/model`: every request can have one, requests with different ones
 * are computed together, and those without any get what the model gives alone.
 *
 * The factors of all adapters are multiplied with every row, and those of other adapters left out in between: for a few
 * adapters of low rank that costs little beside the model's own weights.
 *
 * @param parameters the shapes of the model's parameters
 * @throws LoraError `LORA_SHAPE_MISMATCH` when an adapter is for another model
 */
export function stackAdapters(
  parameters: ParameterShapes,
  adapters: Readonly<Record<string, Adapter>>,
): AdapterStack {
  const modules = stackModules(Object.values(adapters).map((adapter) => fitAdapter(adapter, parameters)));
  return {
    names: Object.keys(adapters),
    weights: { get: (path) => storedFactor(path, modules) },
    linear: (adapter) => stackedLinear(adapter, modules),
  };
}

function stackModules(adapters: readonly Adapter[]): ReadonlyMap<string, StackedModule> {
  const modules = new Map<string, StackedModule>();
  for (const [position, { config, tensors }] of adapters.entries()) {
    for (const [name, factors] of Object.entries(tensors)) {
      const { owners, parts } = modules.get(name) ?? { owners: [], parts: [] };
      const own = Array.from({ length: factors.A.shape[0]! }, () => position + 1);
      const part = { factors, scaling: scalingOf(config) };
      modules.set(name, { owners: [...owners, ...own], parts: [...parts, part] });
    }
  }
  return modules;
}

const PREFIX = "adapters/";

/** The factors as the program reads them: A [R, in], and the scaled B, transposed [R, out]. */
const FACTORS = {
  A: ({ factors }: StackedModule["parts"][number]) => factors.A,
  B: ({ factors, scaling }: StackedModule["parts"][number]) => transposed(factors.B, scaling),
} as const;

function storedFactor(path: string, modules: ReadonlyMap<string, StackedModule>): StoredWeight | undefined {
  const [, name = "", side] = /^adapters\/(.*)\.([AB])$/.exec(path) ?? [];
  const module = modules.get(name);
  if (module === undefined) return undefined;
  const { owners, parts } = module;
  const width = side === "A" ? parts[0]!.factors.A.shape[1]! : parts[0]!.factors.B.shape[0]!;
  const shape = [owners.length, width];
  const read = async () => {
    const rows = parts.map((part) => FACTORS[side as "A" | "B"](part).data as Float32Array);
    const data = new Float32Array(owners.length * width);
    let at = 0;
    for (const each of rows) {
      data.set(each, at);
      at += each.length;
    }
    return new Tensor("float32", shape, data);
  };
  return { dtype: "float32", shape, read };
}

/** s · Bᵀ */
function transposed({ shape, data }: Tensor, scale: number): Tensor {
  const [rows, columns] = shape as [number, number];
  const values = Float32Array.from(
    { length: rows * columns },
    (_, i) => scale * (data as Float32Array)[(i % rows) * columns + Math.floor(i / rows)]!,
  );
  return new Tensor("float32", [columns, rows], values);
}

/** y = x·Wᵀ + ((x·Aᵀ) where the rank is of the row's adapter)·B */
function stackedLinear(adapter: Tracer, modules: ReadonlyMap<string, StackedModule>): Linear {
  const masks = new Map<string, Tracer>();
  /** [N, R] bool: whether each rank is of the row's adapter. */
  const maskOf = (owners: readonly number[]): Tracer => {
    const known = masks.get(owners.join());
    if (known !== undefined) return known;
    const row = constant(Tensor.fromArray("int32", [1, owners.length], owners));
    const mask = equal(reshape(adapter, [adapter.shape[0]!, 1]), row);
    masks.set(owners.join(), mask);
    return mask;
  };
  return (path, x, base) => {
    const plain = linear(path, x, base);
    const name = path.replace(/\.weight$/, "");
    const module = modules.get(name);
    if (module === undefined) return plain;
    const rank = module.owners.length;
    const [A, B] = [
      weight(`${PREFIX}${name}.A`, { dtype: "float32", shape: [rank, x.shape.at(-1)!] }),
      weight(`${PREFIX}${name}.B`, { dtype: "float32", shape: [rank, plain.shape.at(-1)!] }),
    ];
    const reduced = where(maskOf(module.owners), matmul(x, A!, { transposeB: true }), 0);
    return add(plain, matmul(reduced, B!));
  };
}
