// The keywords of JSON Schema: which ones are followed, what their values must be, and how two values are joined.
import { ModelError } from "../errors.ts";

/** A schema: an object, or whether anything is allowed. */
export type Schema = boolean | SchemaObject;
export type SchemaObject = Readonly<Record<string, unknown>>;

/** Names of types in a schema. */
export const TYPES = ["object", "array", "string", "number", "integer", "boolean", "null"] as const;
export type Type = (typeof TYPES)[number];

interface Keyword {
  readonly isValid: (value: unknown) => boolean;
  readonly expected: string;
  /** One value that says what both say; absent: they must be equal. */
  readonly join?: (a: never, b: never, path: string) => unknown;
}

const isObject = (value: unknown): value is SchemaObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isSchema = (value: unknown): value is Schema => typeof value === "boolean" || isObject(value);
const isSchemaList = (value: unknown) => Array.isArray(value) && value.length > 0 && value.every(isSchema);
const isCount = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0;
const isTypes = (value: unknown) => [value].flat().every((type) => TYPES.includes(type as Type));
const isSame = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);

const number: Keyword = { isValid: Number.isFinite, expected: "a number" };
const count: Keyword = { isValid: isCount, expected: "a number from 0 on" };
const schema: Keyword = { isValid: isSchema, expected: "a schema" };
const schemas: Keyword = { isValid: isSchemaList, expected: "a list of schemas" };
const schemasByName: Keyword = {
  isValid: (value) => isObject(value) && Object.values(value).every(isSchema),
  expected: "schemas by name",
};
const larger = (a: number, b: number) => Math.max(a, b);
const smaller = (a: number, b: number) => Math.min(a, b);

/** What is followed. */
const KEYWORDS: Readonly<Record<string, Keyword>> = {
  $ref: { isValid: (value) => typeof value === "string", expected: "a string" },
  allOf: schemas,
  anyOf: schemas,
  oneOf: schemas,
  type: { isValid: isTypes, expected: `of ${TYPES.join(", ")}`, join: commonTypes },
  const: { isValid: () => true, expected: "a value" },
  enum: {
    isValid: Array.isArray,
    expected: "a list of values",
    join: (a: unknown[], b: unknown[]) => a.filter((x) => b.some((y) => isSame(x, y))),
  },
  properties: {
    ...schemasByName,
    join: (a: SchemaObject, b: SchemaObject, path: string) => joinEach(a, b, path),
  },
  required: {
    isValid: (value) => Array.isArray(value) && value.every((name) => typeof name === "string"),
    expected: "a list of names",
    join: (a: string[], b: string[]) => [...new Set([...a, ...b])],
  },
  additionalProperties: schema,
  items: { isValid: (value) => isSchema(value) || isSchemaList(value), expected: "a schema" },
  prefixItems: schemas,
  minItems: { ...count, join: larger },
  maxItems: { ...count, join: smaller },
  pattern: { isValid: (value) => typeof value === "string", expected: "a regular expression" },
  minLength: { ...count, join: larger },
  maxLength: { ...count, join: smaller },
  minimum: { ...number, join: larger },
  exclusiveMinimum: { ...number, join: larger },
  maximum: { ...number, join: smaller },
  exclusiveMaximum: { ...number, join: smaller },
};

/** What says something about values that no expression here holds them to. Anything else in a schema is a remark. */
const UNSUPPORTED: ReadonlySet<string> = new Set([
  ...["not", "if", "then", "else", "dependentSchemas", "dependentRequired", "dependencies"],
  ...["multipleOf", "contains", "minContains", "maxContains", "uniqueItems", "additionalItems"],
  ...["patternProperties", "propertyNames", "minProperties", "maxProperties"],
  ...["unevaluatedProperties", "unevaluatedItems", "$dynamicRef", "$recursiveRef"],
]);

/** The keywords of a schema that say something about values. */
export const assertionsOf = (schema: SchemaObject): string[] =>
  Object.keys(schema).filter((key) => key in KEYWORDS);

/** The error for what no expression here holds values to. */
export const unsupported = (path: string, what: string): ModelError =>
  new ModelError("MODEL_SCHEMA_UNSUPPORTED", `schema at ${path}: ${what} is not supported`, {
    details: { path },
  });

/** The error for what no schema may say. */
export const invalid = (path: string, message: string): ModelError =>
  new ModelError("MODEL_INVALID_ARGUMENT", `schema at ${path}: ${message}`, { details: { path } });

/**
 * The schema, its keywords and their values checked, but not what is below.
 *
 * @throws ModelError `MODEL_SCHEMA_UNSUPPORTED`, `MODEL_INVALID_ARGUMENT`
 */
export function checkSchema(value: unknown, path: string): Schema {
  if (!isSchema(value)) throw invalid(path, `expected an object or a boolean, got ${JSON.stringify(value)}`);
  if (typeof value === "boolean") return value;
  for (const [key, content] of Object.entries(value)) {
    if (UNSUPPORTED.has(key) && content !== false) throw unsupported(path, key);
    const keyword = Object.hasOwn(KEYWORDS, key) ? KEYWORDS[key] : undefined;
    if (keyword && !keyword.isValid(content))
      throw invalid(path, `${key} must be ${keyword.expected}, got ${JSON.stringify(content)}`);
  }
  return value;
}

/**
 * A schema for the values that both allow.
 *
 * @throws ModelError `MODEL_SCHEMA_UNSUPPORTED` where that takes more than joining keywords
 */
export function joinSchemas(a: Schema, b: Schema, path: string): Schema {
  if (typeof a === "boolean") return a ? b : false;
  if (typeof b === "boolean") return b ? a : false;
  for (const [one, other] of [
    [a, b],
    [b, a],
  ] as const) {
    const own = (one.properties ?? {}) as SchemaObject;
    const isOpen = one.additionalProperties === undefined || one.additionalProperties === true;
    if (
      !isOpen &&
      Object.keys((other.properties ?? {}) as SchemaObject).some((name) => !Object.hasOwn(own, name))
    )
      throw unsupported(path, "additionalProperties beside properties of another part");
  }
  const joined: Record<string, unknown> = { ...a };
  for (const key of assertionsOf(b)) {
    if (!(key in a) || isSame(a[key], b[key])) joined[key] = b[key];
    else if (KEYWORDS[key]!.join === undefined) throw unsupported(path, `${key} in two parts`);
    else joined[key] = KEYWORDS[key]!.join(a[key] as never, b[key] as never, path);
  }
  return joined;
}

function joinEach(a: SchemaObject, b: SchemaObject, path: string): SchemaObject {
  const joined: Record<string, unknown> = { ...a };
  for (const [name, each] of Object.entries(b))
    joined[name] = Object.hasOwn(a, name) ? joinSchemas(a[name] as Schema, each as Schema, path) : each;
  return joined;
}

/** The types that two lists, or names, have in common; an integer is a number. */
export function commonTypes(a: Type | readonly Type[], b: Type | readonly Type[]): Type[] {
  const [left, right] = [[a].flat(), [b].flat()] as [Type[], Type[]];
  const has = (types: Type[], type: Type) =>
    types.includes(type) || (type === "integer" && types.includes("number"));
  return TYPES.filter((type) => has(left, type) && has(right, type));
}
