// `LoraConfig` and its form in `adapter_config.json`; the file format's names stay in here.
import { LoraError } from "./errors.ts";

/** Rank, scale, dropout and places of an adapter. */
export interface LoraConfig {
  /** r: the inner size of B·A */
  readonly rank: number;
  /** α: the product is scaled by α / r */
  readonly alpha: number;
  /** probability of zeroing an element of the adapter's input, in training only */
  readonly dropout: number;
  /** module names: a module is a target when its path is one of them or ends in `.` and one of them; a string is a full-match pattern */
  readonly targetModules: readonly string[] | string;
  /** name or folder of the model the adapter belongs to */
  readonly baseModel?: string;
  /** scale by α / √r instead. @see Kalajdzievski 2023 */
  readonly rankStabilized?: boolean;
}

/** Flacuna's adapter: rank 8 on every query and value projection. @see arXiv 2307.02053, §3 */
export const FLACUNA_LORA: LoraConfig = {
  rank: 8,
  alpha: 16,
  dropout: 0.05,
  targetModules: ["q_proj", "v_proj"],
};

/** α / r, or α / √r. */
export const scalingOf = ({ rank, alpha, rankStabilized }: LoraConfig): number =>
  alpha / (rankStabilized === true ? Math.sqrt(rank) : rank);

/**
 * The config, when its numbers make sense.
 *
 * @throws LoraError `LORA_CONFIG_INVALID`
 */
export function checkConfig(config: LoraConfig): LoraConfig {
  const { rank, alpha, dropout } = config;
  const require = (holds: boolean, name: string, expected: string, got: unknown) => {
    if (!holds)
      throw new LoraError("LORA_CONFIG_INVALID", `${name}: expected ${expected}, got ${String(got)}`);
  };
  require(Number.isInteger(rank) && rank > 0, "rank", "a positive integer", rank);
  require(Number.isFinite(alpha) && alpha > 0, "alpha", "a positive number", alpha);
  require(dropout >= 0 && dropout < 1, "dropout", "0 ≤ dropout < 1", dropout);
  require(config.targetModules.length > 0, "targetModules", "at least one name", "none");
  const canMatch = typeof config.targetModules !== "string" || isPattern(config.targetModules);
  require(canMatch, "targetModules", "names or a regular expression", config.targetModules);
  return config;
}

function isPattern(text: string): boolean {
  try {
    new RegExp(text);
    return true;
  } catch {
    return false;
  }
}

/** The object PEFT writes as `adapter_config.json`, keys in order. */
export function formatAdapterConfig(config: LoraConfig): Record<string, unknown> {
  const { targetModules } = config;
  return {
    base_model_name_or_path: config.baseModel ?? null,
    bias: "none",
    fan_in_fan_out: false,
    inference_mode: true,
    init_lora_weights: true,
    lora_alpha: config.alpha,
    lora_dropout: config.dropout,
    modules_to_save: null,
    peft_type: "LORA",
    r: config.rank,
    target_modules: typeof targetModules === "string" ? targetModules : [...targetModules],
    task_type: "CAUSAL_LM",
    use_rslora: config.rankStabilized ?? false,
  };
}

/** Settings of PEFT that change the numbers and that this package does not have: the key and the values it may take. */
const SUPPORTED: readonly (readonly [key: string, isFine: (value: unknown) => boolean])[] = [
  ["peft_type", (value) => value === "LORA"],
  ["bias", (value) => value === undefined || value === "none"],
  ["fan_in_fan_out", (value) => !value],
  ["use_dora", (value) => !value],
  ["use_qalora", (value) => !value],
  ["use_bdlora", (value) => !value],
  ["lora_bias", (value) => !value],
  ["exclude_modules", isEmpty],
  ["alora_invocation_tokens", isEmpty],
  ["kasa_config", isEmpty],
  ["modules_to_save", isEmpty],
  ["rank_pattern", isEmpty],
  ["alpha_pattern", isEmpty],
  ["layers_to_transform", isEmpty],
  ["layer_replication", isEmpty],
  ["trainable_token_indices", isEmpty],
  ["target_parameters", isEmpty],
];

function isEmpty(value: unknown): boolean {
  return (
    value === undefined || value === null || (typeof value === "object" && Object.keys(value).length === 0)
  );
}

/**
 * The config in a parsed `adapter_config.json`; absent values are PEFT's defaults (r 8, alpha 8, dropout 0).
 *
 * @throws LoraError `LORA_CONFIG_INVALID`, or `LORA_UNSUPPORTED` naming every setting that would change the result
 */
export function parseAdapterConfig(json: unknown): LoraConfig {
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw new LoraError("LORA_CONFIG_INVALID", "adapter_config.json: expected a JSON object");
  }
  const source = json as Record<string, unknown>;
  const unsupported = SUPPORTED.filter(([key, isFine]) => !isFine(source[key])).map(
    ([key]) => `${key} = ${JSON.stringify(source[key])}`,
  );
  if (unsupported.length > 0) {
    throw new LoraError(
      "LORA_UNSUPPORTED",
      `adapter_config.json: this package has no ${unsupported.join(", ")}`,
    );
  }
  return checkConfig({
    rank: numberOf(source, "r", 8),
    alpha: numberOf(source, "lora_alpha", 8),
    dropout: numberOf(source, "lora_dropout", 0),
    targetModules: targetsOf(source.target_modules),
    ...(typeof source.base_model_name_or_path === "string" && { baseModel: source.base_model_name_or_path }),
    ...(source.use_rslora === true && { rankStabilized: true }),
  });
}

function numberOf(source: Record<string, unknown>, key: string, fallback: number): number {
  const value = source[key] ?? fallback;
  if (typeof value === "number") return value;
  throw new LoraError(
    "LORA_CONFIG_INVALID",
    `adapter_config.json: ${key}: expected a number, got ${JSON.stringify(value)}`,
  );
}

function targetsOf(value: unknown): readonly string[] | string {
  if (typeof value === "string") return value;
  if (Array.isArray(value) && value.every((each) => typeof each === "string")) return value;
  throw new LoraError(
    "LORA_CONFIG_INVALID",
    "adapter_config.json: target_modules: expected names or a pattern",
  );
}
