// An adapter's tensors: which modules it has, their shapes, their initial values, their number.
import { deriveSeed, randomUniformArray, Tensor } from "@flacuna/tensor";
import { checkConfig, type LoraConfig } from "./config.ts";
import { LoraError } from "./errors.ts";

/** The two factors of one module's update: A is [R, in], B is [out, R], both float32. */
export interface LoraPair<Leaf> {
  readonly A: Leaf;
  readonly B: Leaf;
}

/** Factors by module path, such as `model.layers.0.self_attn.q_proj`. */
export type LoraTree<Leaf> = Readonly<Record<string, LoraPair<Leaf>>>;

/** An adapter in memory. */
export interface Adapter {
  readonly config: LoraConfig;
  readonly tensors: LoraTree<Tensor>;
}

/** Shapes of a model's parameters by path, such as `model.layers.0.self_attn.q_proj.weight` → [out, in]. */
export type ParameterShapes = ReadonlyMap<string, readonly number[]>;

const WEIGHT = ".weight";

/** Looked up, not multiplied: the one matrix of a model that is no projection. */
const EMBEDDINGS = "model.embed_tokens.weight";

function matcher(targetModules: LoraConfig["targetModules"]): (module: string) => boolean {
  if (typeof targetModules === "string") {
    const pattern = new RegExp(`^(?:${targetModules})$`);
    return (module) => pattern.test(module);
  }
  return (module) => targetModules.some((name) => module === name || module.endsWith(`.${name}`));
}

/**
 * Shapes of the adapter's factors for a model, without allocating anything.
 *
 * @throws LoraError `LORA_TARGET_UNMATCHED` naming every target that no projection matches, `LORA_CONFIG_INVALID`
 */
export function adapterShapes(
  parameters: ParameterShapes,
  config: LoraConfig,
): LoraTree<readonly [number, number]> {
  const { rank, targetModules } = checkConfig(config);
  const modules = [...parameters].filter(
    ([path, shape]) => path.endsWith(WEIGHT) && shape.length === 2 && path !== EMBEDDINGS,
  );
  const names = modules.map(([path]) => path.slice(0, -WEIGHT.length));
  const targets = typeof targetModules === "string" ? [targetModules] : targetModules;
  const unmatched = targets.filter((target) => {
    const matches = matcher(typeof targetModules === "string" ? target : [target]);
    return !names.some(matches);
  });
  if (unmatched.length > 0) {
    const known = [...new Set(names.map((name) => name.split(".").at(-1)))].join(", ");
    throw new LoraError(
      "LORA_TARGET_UNMATCHED",
      `no module matches ${unmatched.join(", ")}; the model has ${known}`,
    );
  }
  const isTarget = matcher(targetModules);
  const entries = modules.flatMap(
    ([path, [out, inner]], index): [string, LoraPair<readonly [number, number]>][] =>
      isTarget(names[index]!)
        ? [[path.slice(0, -WEIGHT.length), { A: [rank, inner!], B: [out!, rank] }]]
        : [],
  );
  return Object.fromEntries(entries);
}

/** The number of trained parameters: 6,553,600 for LLaMA-13B with rank 8 on q_proj and v_proj. */
export function countTrainable(parameters: ParameterShapes, config: LoraConfig): number {
  return Object.values(adapterShapes(parameters, config)).reduce(
    (total, { A, B }) => total + A[0] * A[1] + B[0] * B[1],
    0,
  );
}

/**
 * A new adapter that changes nothing yet: A uniform in ±1/√in (Kaiming-uniform with a = √5), B zero.
 *
 * @param options.seed the same seed gives the same adapter
 * @see PEFT `LoraLayer.reset_lora_parameters`
 */
export function createAdapter(
  parameters: ParameterShapes,
  config: LoraConfig,
  options: { readonly seed: number },
): Adapter {
  const shapes = adapterShapes(parameters, config);
  const tensors = Object.entries(shapes).map(([module, { A, B }]) => {
    const bound = 1 / Math.sqrt(A[1]);
    const values = randomUniformArray(deriveSeed(options.seed, module), A[0] * A[1], -bound, bound);
    return [module, { A: Tensor.fromArray("float32", A, values), B: Tensor.zeros("float32", B) }] as const;
  });
  return { config, tensors: Object.fromEntries(tensors) };
}

/**
 * The adapter with its modules in the model's order, when each of them is a projection of the model of the right shape.
 *
 * @throws LoraError `LORA_SHAPE_MISMATCH` naming every module that the model lacks or has in another shape
 */
export function fitAdapter(adapter: Adapter, parameters: ParameterShapes): Adapter {
  const fitting = [...parameters].flatMap(([path, shape]): [string, LoraPair<Tensor>][] => {
    const module = path.slice(0, -WEIGHT.length);
    const factors = adapter.tensors[module];
    const fits = factors !== undefined && `${factors.B.shape[0]},${factors.A.shape[1]}` === String(shape);
    return fits ? [[module, factors]] : [];
  });
  const tensors = Object.fromEntries(fitting);
  const strangers = Object.keys(adapter.tensors).filter((module) => !Object.hasOwn(tensors, module));
  if (strangers.length > 0) {
    throw new LoraError(
      "LORA_SHAPE_MISMATCH",
      `the adapter is for another model: ${strangers.join(", ")} are not there, or of another shape`,
    );
  }
  return { config: adapter.config, tensors };
}
