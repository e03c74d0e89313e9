// A JSON Schema as an expression: what it allows is valid, though not all that is valid is allowed. Reads no tokens.
import { characterOf, complementOf } from "./characters.ts";
import { choice, type Expression, literal, NOTHING, reference, repeat, sequence } from "./expression.ts";
import { ANY_VALUE, enclosed, further, listOf, member, SPACE, stringOf } from "./json-expressions.ts";
import { type Bounds, integersWithin, numbersWithin } from "./number-range.ts";
import {
  assertionsOf,
  checkSchema,
  commonTypes,
  invalid,
  joinSchemas,
  type Schema,
  type SchemaObject,
  TYPES,
  type Type,
  unsupported,
} from "./schema-keywords.ts";
import { PatternError, patternExpression } from "./string-pattern.ts";

/**
 * The JSON texts of a schema, after white space or none.
 *
 * Properties come in the order of the schema; those it does not name only where `additionalProperties` allows them, or
 * where it names none. White space is bounded, and numbers have at most 15 digits before the point.
 *
 * @throws ModelError `MODEL_SCHEMA_UNSUPPORTED` for keywords that cannot be held to, `MODEL_INVALID_ARGUMENT` for what is
 * no schema
 * @see JSON Schema, draft 2020-12
 */
export function jsonSchemaExpression(schema: unknown): Expression {
  return sequence(SPACE, new SchemaCompiler(schema).compileAll());
}

/** Types that keywords speak of, for schemas that name none. */
const IMPLIED: readonly (readonly [type: Type, keywords: readonly string[]])[] = [
  ["object", ["properties", "required", "additionalProperties"]],
  ["array", ["items", "prefixItems", "minItems", "maxItems"]],
  ["string", ["pattern", "minLength", "maxLength"]],
  ["number", ["minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"]],
];

class SchemaCompiler {
  readonly #root: unknown;
  readonly #expressions = new Map<string, Expression>();
  readonly #pending: string[] = [];

  constructor(root: unknown) {
    this.#root = root;
  }

  compileAll(): Expression {
    const expression = this.#compile(this.#root, "#");
    for (let path = this.#pending.pop(); path !== undefined; path = this.#pending.pop())
      this.#expressions.set(path, this.#compile(this.#lookUp(path), path));
    return expression;
  }

  #compile(value: unknown, path: string): Expression {
    const schema = checkSchema(value, path);
    if (typeof schema === "boolean") return schema ? ANY_VALUE : NOTHING;
    const { $ref, allOf, anyOf, oneOf, ...rest } = schema;
    const alternatives = (anyOf ?? oneOf) as readonly Schema[] | undefined;
    if ($ref !== undefined && assertionsOf(schema).length === 1) return this.#refer($ref as string);
    if ($ref !== undefined || allOf !== undefined) return this.#compile(this.#flatten(schema, path), path);
    if (anyOf !== undefined && oneOf !== undefined) throw unsupported(path, "anyOf beside oneOf");
    if (alternatives !== undefined) {
      if (oneOf !== undefined) this.#checkDisjoint(alternatives, path);
      return choice(
        ...alternatives.map((each, index) => {
          const place = `${path}/${oneOf ? "oneOf" : "anyOf"}/${index}`;
          return this.#compile(assertionsOf(rest).length === 0 ? each : this.#join(rest, each, place), place);
        }),
      );
    }
    if ("const" in schema || "enum" in schema) return this.#values(schema, path);
    return choice(...typesOf(schema).map((type) => this.#ofType(type, schema, path)));
  }

  #refer(path: string): Expression {
    if (!this.#expressions.has(path)) {
      this.#lookUp(path);
      this.#expressions.set(path, NOTHING);
      this.#pending.push(path);
    }
    return reference(() => this.#expressions.get(path)!);
  }

  /** What a reference within the document points to. */
  #lookUp(path: string): unknown {
    if (path !== "#" && !path.startsWith("#/")) throw unsupported(path, "a reference out of the schema");
    const names = path.split("/").slice(1);
    return names.reduce<unknown>((at, name) => {
      const key = decodeURIComponent(name).replaceAll("~1", "/").replaceAll("~0", "~");
      if (typeof at !== "object" || at === null || !Object.hasOwn(at, key))
        throw invalid(path, "there is nothing at this reference");
      return (at as SchemaObject)[key];
    }, this.#root);
  }

  /** A schema without `$ref` and `allOf` of its own. */
  #flatten(value: unknown, path: string, seen: readonly string[] = []): Schema {
    const schema = checkSchema(value, path);
    if (typeof schema === "boolean") return schema;
    const { $ref, allOf = [], ...rest } = schema;
    if ($ref !== undefined && seen.includes($ref as string))
      throw invalid(path, "a reference leads to itself");
    const parts = (allOf as Schema[]).map((each, index) =>
      this.#flatten(each, `${path}/allOf/${index}`, seen),
    );
    if ($ref !== undefined)
      parts.push(this.#flatten(this.#lookUp($ref as string), $ref as string, [...seen, $ref as string]));
    return parts.reduce<Schema>((a, b) => joinSchemas(a, b, path), rest);
  }

  #join(a: Schema, b: Schema, path: string): Schema {
    return joinSchemas(this.#flatten(a, path), this.#flatten(b, path), path);
  }

  /** Alternatives of which one value can only be of one. */
  #checkDisjoint(alternatives: readonly Schema[], path: string): void {
    const flat = alternatives.map((each, index) => this.#flatten(each, `${path}/oneOf/${index}`));
    for (const [index, a] of flat.entries()) {
      for (const b of flat.slice(index + 1))
        if (!areDisjoint(a, b)) throw unsupported(path, "oneOf of alternatives that may overlap (use anyOf)");
    }
  }

  #values(schema: SchemaObject, path: string): Expression {
    const other = assertionsOf(schema).find((key) => !["const", "enum", "type"].includes(key));
    if (other !== undefined) throw unsupported(path, `${other} beside values`);
    const types = "type" in schema ? ([schema.type].flat() as Type[]) : TYPES;
    const allowed = valuesOf(schema)!.filter((value) => isOfType(value, types));
    return choice(...allowed.map((value) => literal(JSON.stringify(value))));
  }

  #ofType(type: Type, schema: SchemaObject, path: string): Expression {
    switch (type) {
      case "object":
        return this.#object(schema, path);
      case "array":
        return this.#array(schema, path);
      case "string":
        return stringWithin(schema, path);
      case "number":
        return numbersWithin(boundsOf(schema));
      case "integer":
        return integersWithin(boundsOf(schema));
      case "boolean":
        return choice(literal("true"), literal("false"));
      case "null":
        return literal("null");
      default:
        return type satisfies never;
    }
  }

  #array(schema: SchemaObject, path: string): Expression {
    const { items, minItems: min = 0, maxItems: max = Number.POSITIVE_INFINITY } = schema as Counts;
    const prefix = (schema.prefixItems ?? (Array.isArray(items) ? items : [])) as readonly Schema[];
    const other =
      Array.isArray(items) || (items === undefined && prefix.length > 0) ? false : (items ?? true);
    const item = this.#compile(other, `${path}/items`);
    const first = prefix
      .slice(0, max)
      .map((each, index) => this.#compile(each, `${path}/prefixItems/${index}`));
    if (first.length === 0) return enclosed("[", listOf(item, min, max), "]");
    const [head, ...tail] = first;
    const rest = repeat(further(item), Math.max(0, min - first.length), max - first.length);
    return enclosed("[", sequence(head!, ...tail.map(further), rest), "]");
  }

  #object(schema: SchemaObject, path: string): Expression {
    const {
      properties = {},
      required = [],
      additionalProperties,
    } = schema as {
      readonly properties?: Readonly<Record<string, Schema>>;
      readonly required?: readonly string[];
      readonly additionalProperties?: Schema;
    };
    const isOpen = additionalProperties !== undefined || schema.properties === undefined;
    const other = this.#compile(additionalProperties ?? true, `${path}/additionalProperties`);
    const names = [...new Set([...Object.keys(properties), ...required])];
    const members = names.map((name) => {
      const isNamed = Object.hasOwn(properties, name);
      const value = isNamed ? this.#compile(properties[name], `${path}/properties/${name}`) : other;
      return { text: member(literal(JSON.stringify(name)), value), isRequired: required.includes(name) };
    });
    const others = isOpen ? member(otherKey(names), other) : NOTHING;
    // From the last member to the first: what may follow when there are members before it, and when there are none.
    let after: Expression = repeat(further(others));
    let alone: Expression = listOf(others);
    for (const { text, isRequired } of members.reverse()) {
      const [withText, onlyText] = [sequence(further(text), after), sequence(text, after)];
      alone = isRequired ? onlyText : choice(onlyText, alone);
      after = isRequired ? withText : choice(withText, after);
    }
    return enclosed("{", alone, "}");
  }
}

interface Counts {
  readonly items?: Schema | readonly Schema[];
  readonly minItems?: number;
  readonly maxItems?: number;
}

function stringWithin(schema: SchemaObject, path: string): Expression {
  const { pattern, minLength, maxLength } = schema as {
    readonly pattern?: string;
    readonly minLength?: number;
    readonly maxLength?: number;
  };
  if (pattern === undefined) return stringOf(minLength, maxLength);
  if (minLength !== undefined || maxLength !== undefined) throw unsupported(path, "pattern beside a length");
  try {
    return sequence(literal('"'), patternExpression(pattern), literal('"'));
  } catch (error) {
    if (!(error instanceof PatternError)) throw error;
    throw unsupported(path, ` in a pattern`);
  }
}

const boundsOf = ({ minimum, exclusiveMinimum, maximum, exclusiveMaximum }: SchemaObject): Bounds =>
  ({ minimum, exclusiveMinimum, maximum, exclusiveMaximum }) as Bounds;

/** The types of a schema: those it names, else those it speaks of, else all. */
function typesOf(schema: SchemaObject): readonly Type[] {
  if (schema.type !== undefined) return [schema.type].flat() as Type[];
  const implied = IMPLIED.filter(([, keywords]) => keywords.some((key) => key in schema)).map(
    ([type]) => type,
  );
  return implied.length > 0 ? implied : TYPES.filter((type) => type !== "integer");
}

function typeOf(value: unknown): Type {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  return Number.isInteger(value) ? "integer" : (typeof value as Type);
}

function isOfType(value: unknown, types: readonly Type[]): boolean {
  const type = typeOf(value);
  return types.includes(type) || (type === "integer" && types.includes("number"));
}

/** The values that a schema lists, if it does. */
function valuesOf(schema: SchemaObject): readonly unknown[] | undefined {
  const list = schema.enum as readonly unknown[] | undefined;
  if (!("const" in schema)) return list;
  const text = JSON.stringify(schema.const);
  return list === undefined ? [schema.const] : list.filter((value) => JSON.stringify(value) === text);
}

/** Whether no value is of both schemas, as far as types and listed values tell. */
function areDisjoint(a: Schema, b: Schema): boolean {
  if (typeof a === "boolean" || typeof b === "boolean") return a === false || b === false;
  const [left, right] = [valuesOf(a), valuesOf(b)];
  if (left !== undefined && right !== undefined) {
    const texts = new Set(left.map((value) => JSON.stringify(value)));
    return !right.some((value) => texts.has(JSON.stringify(value)));
  }
  const kinds = (schema: SchemaObject, values: readonly unknown[] | undefined) =>
    values?.map(typeOf) ?? (schema.type === undefined ? TYPES : ([schema.type].flat() as Type[]));
  if (commonTypes(kinds(a, left), kinds(b, right)).length === 0) return true;
  if (a.type !== "object" || b.type !== "object") return false;
  const [ours, theirs] = [a.properties ?? {}, b.properties ?? {}] as Record<string, Schema>[];
  const both = (a.required as readonly string[] | undefined) ?? [];
  return both.some(
    (name) =>
      (b.required as readonly string[] | undefined)?.includes(name) &&
      Object.hasOwn(ours!, name) &&
      Object.hasOwn(theirs!, name) &&
      areDisjoint(ours![name]!, theirs![name]!),
  );
}

/** A key that is none of these; each character has one spelling. */
function otherKey(names: readonly string[]): Expression {
  const rest = sequence(repeat(characterOf(complementOf([]))), literal('"'));
  const after = (tails: readonly (readonly number[])[]): Expression => {
    const below = new Map<number, (readonly number[])[]>();
    for (const [code, ...tail] of tails)
      if (code !== undefined) below.set(code, [...(below.get(code) ?? []), tail]);
    const codes = Array.from(below.keys(), (code) => [code, code] as const);
    return choice(
      tails.some(({ length }) => length === 0) ? NOTHING : literal('"'),
      sequence(characterOf(complementOf(codes)), rest),
      ...Array.from(below, ([code, next]) => sequence(characterOf([[code, code]]), after(next))),
    );
  };
  const tails = names.map((name) => Array.from(name, (character) => character.codePointAt(0)!));
  return sequence(literal('"'), tails.length === 0 ? rest : after(tails));
}
