import { describe, expect, it } from "vitest";
import { exampleOf } from "./fixtures/examples.ts";
import { VICUNA, VICUNA_SYSTEM } from "./fixtures/vicuna-template.ts";
import type { Role } from "./message.ts";
import { renderExample } from "./render.ts";

const spokenBy = (...roles: Role[]) => ({
  id: "x",
  source: "sharegpt",
  conversations: roles.map((from, i) => ({ from, value: `m${i}` })),
});

const textOf = (...roles: Role[]) => {
  const rendering = renderExample(spokenBy(...roles), VICUNA);
  return "text" in rendering ? rendering.text.slice(VICUNA_SYSTEM.length) : rendering.dropped;
};

describe("renderExample()", () => {
  it("uses values verbatim", () => {
    expect(renderExample(exampleOf("x", "apps", " a\n", " b "), VICUNA)).toMatchObject({
      text: `${VICUNA_SYSTEM} USER:  a\n ASSISTANT:  b </s>`,
    });
  });

  it("leaves out a first message that is not from the person", () => {
    expect(textOf("gpt", "human", "gpt")).toBe(" USER: m1 ASSISTANT: m2</s>");
  });

  it("leaves out one such message only", () => {
    expect(textOf("gpt", "gpt", "human")).toBe("alternation");
  });

  it("drops a row in which one speaks twice", () => {
    expect(textOf("human", "human", "gpt")).toBe("alternation");
  });

  it("drops a row of which nothing is left", () => {
    expect([textOf(), textOf("gpt")]).toEqual(["empty", "empty"]);
  });
});
