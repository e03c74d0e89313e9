import { describe, expect, it } from "vitest";
import ids from "./fixtures/flan-mini-sources.json" with { type: "json" };
import { componentOf, FLAN_MINI_COMPONENTS } from "./flan-mini.ts";

// The ids that occur in the released file, as the project's reference lists them.
describe("componentOf()", () => {
  it.each(ids.flan2021)("puts %s into Flan2021", (id) => expect(componentOf(id)).toBe("flan2021"));
  it.each(ids.p3)("puts %s into P3", (id) => expect(componentOf(id)).toBe("p3"));
  it.each(ids.cot)("puts %s into CoT", (id) => expect(componentOf(id)).toBe("cot"));

  it.each(["task061_ropes_answer_generation", "task1290_xsum_summarization", "task1731_x"])(
    "puts %s into Natural Instructions",
    (id) => expect(componentOf(id)).toBe("niv2"),
  );

  it("tells the six sources that are not from Flan apart", () => {
    expect(Object.fromEntries(ids.others.map((id) => [id, componentOf(id)]))).toEqual({
      alpaca_gpt4: "gpt4_alpaca",
      apps: "apps",
      code_alpaca: "code_alpaca",
      code_contest: "code_contest",
      code_search: "code_search",
      sharegpt: "sharegpt",
    });
  });

  it.each(["", "dolly", "task", "sharegpt2", "apps_train"])("knows no component of %j", (id) => {
    expect(componentOf(id)).toBeUndefined();
  });
});

describe("FLAN_MINI_COMPONENTS", () => {
  it("adds up to the paper's 1.34 million rows", () => {
    expect(FLAN_MINI_COMPONENTS.reduce((sum, { paperSize }) => sum + paperSize, 0)).toBe(1_340_000);
  });

  it("claims no id twice", () => {
    for (const id of Object.values(ids).flat()) {
      expect(FLAN_MINI_COMPONENTS.filter(({ sources }) => sources.test(id))).toHaveLength(1);
    }
  });
});
