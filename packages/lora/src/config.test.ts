import { describe, expect, it } from "vitest";
import {
  checkConfig,
  FLACUNA_LORA,
  formatAdapterConfig,
  type LoraConfig,
  parseAdapterConfig,
  scalingOf,
} from "./config.ts";

const MINIMAL = { peft_type: "LORA", target_modules: ["q_proj"] };

describe("parseAdapterConfig()", () => {
  it("takes PEFT's defaults for what is absent", () => {
    expect(parseAdapterConfig(MINIMAL)).toEqual({ rank: 8, alpha: 8, dropout: 0, targetModules: ["q_proj"] });
  });

  it.each<LoraConfig>([
    FLACUNA_LORA,
    { rank: 4, alpha: 1, dropout: 0, targetModules: ".*_proj", baseModel: "folder", rankStabilized: true },
  ])("reads what formatAdapterConfig() writes", (config) => {
    expect(parseAdapterConfig(formatAdapterConfig(config))).toEqual(config);
  });

  it("names every setting it has no counterpart for", () => {
    const json = { ...MINIMAL, bias: "all", use_dora: true, rank_pattern: { q_proj: 4 }, lora_bias: true };
    expect(() => parseAdapterConfig(json)).toThrowError(
      expect.objectContaining({
        code: "LORA_UNSUPPORTED",
        message: expect.stringMatching(
          /bias = "all".*use_dora = true.*lora_bias = true.*rank_pattern = \{"q_proj":4\}/,
        ),
      }),
    );
  });

  it.each([
    { peft_type: "IA3" },
    { fan_in_fan_out: true },
    { modules_to_save: ["lm_head"] },
    { alpha_pattern: { q_proj: 4 } },
    { layers_to_transform: [0] },
    { exclude_modules: ["v_proj"] },
    { alora_invocation_tokens: [1] },
    { use_qalora: true },
  ])("refuses %j", (setting) => {
    expect(() => parseAdapterConfig({ ...MINIMAL, ...setting })).toThrowError(
      expect.objectContaining({ code: "LORA_UNSUPPORTED" }),
    );
  });

  it.each([[[]], [null], ["LORA"]])("refuses %j, which is no object", (json) => {
    expect(() => parseAdapterConfig(json)).toThrowError(
      expect.objectContaining({ code: "LORA_CONFIG_INVALID" }),
    );
  });

  it.each([{ r: "8" }, { r: 0 }, { lora_dropout: 1 }, { target_modules: null }, { target_modules: [1] }])(
    "refuses %j, which makes no sense",
    (setting) => {
      expect(() => parseAdapterConfig({ ...MINIMAL, ...setting })).toThrowError(
        expect.objectContaining({ code: "LORA_CONFIG_INVALID" }),
      );
    },
  );
});

describe("checkConfig()", () => {
  it.each<[string, Partial<LoraConfig>]>([
    ["rank", { rank: 1.5 }],
    ["alpha", { alpha: 0 }],
    ["dropout", { dropout: Number.NaN }],
    ["targetModules", { targetModules: [] }],
    ["targetModules", { targetModules: "q_proj(" }],
  ])("names %s when it makes no sense", (name, change) => {
    expect(() => checkConfig({ ...FLACUNA_LORA, ...change })).toThrowError(
      expect.objectContaining({
        code: "LORA_CONFIG_INVALID",
        message: expect.stringContaining(`${name}: expected`),
      }),
    );
  });
});

describe("scalingOf()", () => {
  it("is alpha over the rank, or over its root when rank-stabilized", () => {
    expect(scalingOf(FLACUNA_LORA)).toBe(2);
    expect(scalingOf({ ...FLACUNA_LORA, rank: 16, rankStabilized: true })).toBe(4);
  });
});
