import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, it } from "vitest";
import { largeTokenizer } from "../fixtures/large-tokenizer.ts";
import { llamaTokenizerFiles } from "../fixtures/llama-tokenizer-files.ts";
import { createTokenizer } from "../tokenizer.ts";
import { type ConstrainedVocabulary, createJsonSchemaConstraint } from "./json-schema-constraint.ts";

const utf8 = new TextEncoder();
const PIECES = [
  '{"',
  '":',
  '": ',
  ', "',
  '"}',
  "},",
  "\n  ",
  "true",
  "name",
  "é",
  "12",
  "0.",
  '\\"',
  "a\u00ff",
  "[[",
  "null}",
];
const END = 256 + PIECES.length;

/** All bytes, some longer tokens, and an end of sequence. */
const VOCABULARY = {
  vocabSize: END + 1,
  endTokenIds: [END],
  tokenBytes(id: number): Uint8Array | undefined {
    if (id < 256) return Uint8Array.of(id);
    return id === END ? undefined : utf8.encode(PIECES[id - 256]);
  },
};

const idsOf = (text: string) => Array.from(utf8.encode(text));

/** Numbers in [0, 1) from a fixed sequence. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

async function allowedAfter(schema: unknown, text: string): Promise<string[]> {
  const constraint = await createJsonSchemaConstraint(schema, VOCABULARY);
  for (const id of idsOf(text)) constraint.accept(id);
  const mask = new Int32Array(Math.ceil(VOCABULARY.vocabSize / 32)).fill(-1);
  constraint.fill(mask);
  return Array.from({ length: 32 * mask.length }, (_, id) => id)
    .filter((id) => (mask[id >> 5]! >>> (id & 31)) & 1)
    .map((id) => (id === END ? "end" : new TextDecoder().decode(VOCABULARY.tokenBytes(id))));
}

/** Whether a text is let through to its end. */
async function allows(schema: unknown, text: string): Promise<boolean> {
  const constraint = await createJsonSchemaConstraint(schema, VOCABULARY);
  try {
    for (const id of idsOf(text)) constraint.accept(id);
    constraint.accept(END);
    return true;
  } catch {
    return false;
  }
}

/** Whether a token is an end, or closes something and does nothing else. */
const isClosing = (id: number, vocabulary: ConstrainedVocabulary): boolean =>
  vocabulary.endTokenIds.includes(id) ||
  /^["\]}]+$/.test(new TextDecoder().decode(vocabulary.tokenBytes(id)));

/** Random tokens that the constraint lets through, until it ends; those that close something are preferred. */
async function randomTokens(
  schema: unknown,
  random: () => number,
  vocabulary: ConstrainedVocabulary = VOCABULARY,
): Promise<number[]> {
  const constraint = await createJsonSchemaConstraint(schema, vocabulary);
  const mask = new Int32Array(Math.ceil(vocabulary.vocabSize / 32));
  const ids = Array.from({ length: vocabulary.vocabSize }, (_, id) => id);
  const closing = ids.filter((id) => isClosing(id, vocabulary));
  const tokens: number[] = [];
  while (!constraint.isDone) {
    constraint.fill(mask);
    const isAllowed = (id: number) => ((mask[id >> 5]! >>> (id & 31)) & 1) === 1;
    const ends = closing.filter(isAllowed);
    const from = ends.length > 0 && random() < 0.3 ? ends : ids.filter(isAllowed);
    const token = from[Math.floor(random() * from.length)]!;
    constraint.accept(token);
    tokens.push(token);
    expect(tokens.length).toBeLessThan(20_000);
  }
  return tokens;
}

async function randomText(schema: unknown, random: () => number): Promise<string> {
  const tokens = await randomTokens(schema, random);
  const bytes = tokens.flatMap((id) => [...(VOCABULARY.tokenBytes(id) ?? [])]);
  return new TextDecoder("utf-8", { fatal: true }).decode(Uint8Array.from(bytes));
}

const TREE = {
  $defs: {
    node: { type: "object", properties: { left: { $ref: "#/$defs/node" }, value: { type: "integer" } } },
  },
  $ref: "#/$defs/node",
};

const SCHEMAS: Readonly<Record<string, unknown>> = {
  anything: true,
  "an object of anything": { type: "object" },
  "properties, some of them required": {
    type: "object",
    properties: {
      a: { type: "string" },
      b: { type: "number" },
      c: { type: "boolean" },
      'd\n"é': { type: "null" },
    },
    required: ["b", 'd\n"é'],
  },
  "properties, none of them required": { properties: { a: { type: "string" }, b: { type: "number" } } },
  "properties and others": {
    type: "object",
    properties: { name: { type: "string" }, named: { type: "string" }, ü: { type: "string" } },
    required: ["kind"],
    additionalProperties: { type: "integer" },
  },
  "strings of a length": { type: "string", minLength: 2, maxLength: 4 },
  "a pattern": { type: "string", pattern: "^[A-Z]{2,3}-\\d+(\\.[^a-z\\s]{0,3})?(é|[α-ω])$" },
  "a pattern of alternatives": { type: "string", pattern: "^a|^.$|^[b-d]+b$" },
  "text of lines": { type: "string", pattern: "^\\w+(\\n\\w+){1,2}$" },
  integers: { type: "integer" },
  "integers in a range": { type: "integer", minimum: -12, exclusiveMaximum: 1305 },
  "integers over a bound": { type: "integer", exclusiveMinimum: 98 },
  numbers: { type: "number" },
  "numbers in a range": { type: "number", minimum: -3, maximum: 12 },
  "numbers between open ends": { type: "number", exclusiveMinimum: -2, exclusiveMaximum: 20.5 },
  "numbers under a bound": { type: "number", exclusiveMaximum: 0 },
  "listed values": { enum: ["a", 1, null, { b: [true] }, "é\n"] },
  "listed values of a type": { enum: ["a", 1, 1.5, null], type: ["integer", "null"] },
  "one value": { const: { a: "x" } },
  "several types": { type: ["string", "null", "array"], maxLength: 2, items: { type: "boolean" } },
  "arrays of a length": { type: "array", items: { type: "integer" }, minItems: 2, maxItems: 3 },
  "arrays of one at most": { type: "array", maxItems: 1 },
  "empty arrays": { type: "array", maxItems: 0 },
  tuples: { prefixItems: [{ type: "integer" }, { type: "string" }], items: { type: "null" }, minItems: 3 },
  alternatives: { anyOf: [{ type: "integer" }, { type: "object", properties: { a: { type: "null" } } }] },
  "alternatives beside common properties": {
    type: "object",
    properties: { a: { type: "integer" }, b: { type: "integer" } },
    anyOf: [{ required: ["a"] }, { required: ["b"] }],
  },
  "one of several kinds": {
    oneOf: [
      { type: "object", properties: { kind: { const: "a" }, x: { type: "integer" } }, required: ["kind"] },
      {
        type: "object",
        properties: { kind: { const: "b" }, y: { type: "string" } },
        required: ["kind", "y"],
      },
    ],
  },
  "all of several parts": {
    allOf: [
      { $ref: "#/$defs/named" },
      { properties: { age: { type: "number" } }, required: ["age"] },
      { properties: { age: { type: "integer", minimum: 3 } } },
    ],
    $defs: { named: { type: "object", properties: { name: { type: "string" } }, required: ["name"] } },
  },
  "a tree": TREE,
};

describe("createJsonSchemaConstraint()", () => {
  const ajv = new Ajv2020({ strict: false });

  it.each(Object.entries(SCHEMAS))("lets random tokens end in valid JSON only: %s", async (_, schema) => {
    const validate = ajv.compile(schema as object);
    const random = createRandom(11);
    const texts = new Set<string>();
    for (let i = 0; i < 25; i++) {
      const text = await randomText(schema, random);
      const value: unknown = JSON.parse(text);
      expect(validate(value), text).toBe(true);
      texts.add(text);
    }
    expect(texts.size).toBeGreaterThan(1);
  });

  it("holds the tokens of a real vocabulary to a schema, as they are decoded", async () => {
    const schema = { type: "object", properties: { a: { type: "string" }, b: true }, required: ["a", "b"] };
    const tokenizer = createTokenizer(llamaTokenizerFiles());
    const validate = ajv.compile(schema);
    const random = createRandom(5);
    for (let i = 0; i < 10; i++) {
      const text = tokenizer.decode(await randomTokens(schema, random, tokenizer), {
        skipSpecialTokens: true,
      });
      expect(validate(JSON.parse(text)), text).toBe(true);
    }
  });

  it.each([
    [true, '{"a": [1.5e-3, "x\\u00e9\\ud83d\\ude00", {}, [], -0], "a": false}'],
    [true, ' {\n  "a": [\n    1,\n    2\n  ]\n}'],
    [TREE, '{"left":{"left":{},"value":1},"value":-7}'],
    [SCHEMAS["properties, some of them required"], '{"b": 1, "d\\n\\"é": null}'],
    [SCHEMAS["properties and others"], '{"name":"","kind":1,"nam":2,"names":3,"n":4,"x":5,"":6,"é":7}'],
    [SCHEMAS["integers in a range"], "-12"],
    [SCHEMAS["integers in a range"], "1304"],
    [SCHEMAS["integers in a range"], "0"],
    [SCHEMAS["numbers in a range"], "-2.75"],
    [SCHEMAS["numbers in a range"], "12"],
    [{ type: "number", minimum: 0, maximum: 1 }, "0.25"],
    [SCHEMAS["strings of a length"], '"日本"'],
    [SCHEMAS["a pattern"], '"ABC-12.ß!λ"'],
    [SCHEMAS["text of lines"], '"a\\nbc"'],
    [{ pattern: "a(?:b|c)+?\\u0022\\\\" }, '"xabc\\"\\\\y"'],
  ])("lets through, by %j, %s", async (schema, text) => {
    expect(await allows(schema, text)).toBe(true);
  });

  it.each([
    [true, "01"],
    [true, '"a\n"'],
    [true, '"\\ud83d"'],
    [true, "1e999"],
    [true, "{} "],
    [TREE, '{"right":{}}'],
    [SCHEMAS["properties and others"], '{"kind":1,"name":2}'],
    [SCHEMAS["integers in a range"], "1305"],
    [SCHEMAS["integers in a range"], "-13"],
    [SCHEMAS["numbers in a range"], "12.5"],
    [SCHEMAS["strings of a length"], '"日"'],
    [SCHEMAS["listed values of a type"], "1.5"],
    [SCHEMAS["a pattern"], '"ABCD-12é"'],
    [{ pattern: "a(?:b|c)+?\\u0022\\\\" }, '"xac\\\\y"'],
  ])("refuses, by %j, %s", async (schema, text) => {
    expect(await allows(schema, text)).toBe(false);
  });

  it("sets the bits of the tokens that may come, and the end's exactly when the value is complete", async () => {
    const schema = { type: "object", properties: { name: { type: "boolean" } } };
    expect(await allowedAfter(schema, "{")).toEqual(["\n", " ", '"', "}", "\n  "]);
    expect(await allowedAfter(schema, '{"name": t')).toEqual(["r"]);
    expect(await allowedAfter(schema, '{"name":')).toEqual(["\n", " ", "f", "t", "\n  ", "true"]);
    expect(await allowedAfter(schema, '{"name":true}')).toEqual(["end"]);
    expect(await allowedAfter({ type: "integer", maximum: 150, minimum: 0 }, "15")).toEqual(["0", "end"]);
  });

  it("is done when nothing but the end can come", async () => {
    const constraint = await createJsonSchemaConstraint({ type: "boolean" }, VOCABULARY);
    for (const id of idsOf("true")) {
      expect(constraint.isDone).toBe(false);
      constraint.accept(id);
    }
    expect(constraint.isDone).toBe(true);
    constraint.accept(END);
    expect(constraint.isDone).toBe(true);
    const mask = new Int32Array(9).fill(-1);
    constraint.fill(mask);
    expect(mask.every((word) => word === 0)).toBe(true);
  });

  it("prepares the mask of a large vocabulary in small parts, and once", async () => {
    const tokenizer = largeTokenizer();
    const constraint = await createJsonSchemaConstraint({ type: "string", maxLength: 40 }, tokenizer);
    const unprepared = await createJsonSchemaConstraint({ type: "string", maxLength: 39 }, tokenizer);
    const quote = tokenizer.tokenToId('"')!;
    for (const each of [constraint, unprepared]) each.accept(quote);
    expect([...constraint.prepare!()].length).toBeGreaterThan(10);
    expect([...constraint.fork().prepare!()]).toEqual([]);
    const [prepared, filled] = [constraint, unprepared].map((each) => {
      const mask = new Int32Array(Math.ceil(tokenizer.vocabSize / 32));
      each.fill(mask);
      return mask;
    });
    expect(prepared).toEqual(filled);
  });

  it("forks into constraints that go their own ways", async () => {
    const first = await createJsonSchemaConstraint({ enum: ["ab", "ac"] }, VOCABULARY);
    for (const id of idsOf('"a')) first.accept(id);
    const second = first.fork();
    first.accept(idsOf("b")[0]!);
    second.accept(idsOf("c")[0]!);
    expect(() => first.fork().accept(idsOf("c")[0]!)).toThrow(
      expect.objectContaining({ code: "MODEL_INVALID_ARGUMENT" }),
    );
  });

  it("ends by the tokens it is given, and never has them for text", async () => {
    const endTokenIds = [256 + PIECES.indexOf("true"), 7];
    const constraint = await createJsonSchemaConstraint({ type: "boolean" }, VOCABULARY, { endTokenIds });
    expect(() => constraint.accept(endTokenIds[0]!)).toThrow();
    for (const id of idsOf("true")) constraint.accept(id);
    constraint.accept(7);
  });

  it.each([
    [{ type: "string", pattern: "(?=a)b" }, "pattern"],
    [{ pattern: "a", minLength: 3 }, "pattern beside a length"],
    [{ not: { type: "string" } }, "not"],
    [{ oneOf: [{ type: "integer" }, { type: "number" }] }, "oneOf"],
    [{ $ref: "https://example.com/schema" }, "reference"],
    [{ properties: { a: { items: { uniqueItems: true } } } }, "#/properties/a/items: uniqueItems"],
    [
      { allOf: [{ additionalProperties: false, properties: {} }, { properties: { a: true } }] },
      "additionalProperties",
    ],
  ])("does not support %j", async (schema, words) => {
    await expect(createJsonSchemaConstraint(schema, VOCABULARY)).rejects.toMatchObject({
      code: "MODEL_SCHEMA_UNSUPPORTED",
      message: expect.stringContaining(words),
    });
  });

  it.each([
    [7],
    [{ type: "text" }],
    [{ minLength: -1 }],
    [{ properties: [] }],
    [{ $ref: "#/$defs/none" }],
    [{ $defs: { a: { $ref: "#/$defs/a", type: "null" } }, $ref: "#/$defs/a" }],
    [false],
    [{ type: "object", properties: {}, required: ["a"], additionalProperties: false }],
    [{ type: "integer", minimum: 3, maximum: 2 }],
  ])("refuses the schema %j", async (schema) => {
    await expect(createJsonSchemaConstraint(schema, VOCABULARY)).rejects.toMatchObject({
      code: "MODEL_INVALID_ARGUMENT",
    });
  });
});
