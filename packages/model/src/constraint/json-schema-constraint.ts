// Output that is JSON of a schema: the grammar of the schema over the tokens of a vocabulary, as a constraint.
import { ModelError } from "../errors.ts";
import { ByteAutomaton, type State } from "./byte-automaton.ts";
import { jsonSchemaExpression } from "./json-schema.ts";
import type { TokenConstraint } from "./token-constraint.ts";
import {
  allowedTokens,
  createVocabularyTrie,
  type Vocabulary,
  type VocabularyTrie,
} from "./vocabulary-trie.ts";

/** The vocabulary that is constrained; a `Tokenizer` is one. */
export interface ConstrainedVocabulary extends Vocabulary {
  /** Tokens that may come once a value is complete, and end it. */
  readonly endTokenIds: readonly number[];
}

/** How output ends. */
export interface JsonSchemaConstraintOptions {
  /** Tokens that may come once the value is complete, and end it. Default: the vocabulary's. */
  readonly endTokenIds?: readonly number[];
}

/** A constraint to JSON texts of a schema. */
export interface JsonSchemaConstraint extends TokenConstraint {
  /** A constraint in the same state, which goes its own way. */
  fork(): JsonSchemaConstraint;
}

/** Masks kept at a time, of 6 KB each for a vocabulary of 49,152. */
const MAX_MASKS = 1000;
/** Schemas kept ready for one vocabulary. */
const MAX_GRAMMARS = 32;

/**
 * A constraint to JSON texts of a schema: every text it lets end is valid by the schema, though not every valid text is
 * let through. Properties come in the schema's order; `additionalProperties` is false where properties are named and it
 * is absent; white space is bounded. Without a schema (`true`) any JSON.
 *
 * The first constraint for a vocabulary prepares it, in steps that leave the event loop free; later ones share that.
 *
 * @throws ModelError `MODEL_SCHEMA_UNSUPPORTED` for keywords that cannot be held to, `MODEL_INVALID_ARGUMENT` for what is
 * no schema, or allows no value
 */
export async function createJsonSchemaConstraint(
  schema: unknown,
  vocabulary: ConstrainedVocabulary,
  options: JsonSchemaConstraintOptions = {},
): Promise<JsonSchemaConstraint> {
  const { endTokenIds = vocabulary.endTokenIds } = options;
  const grammar = await grammarOf(schema, vocabulary);
  return new GrammarConstraint(grammar, endTokenIds, grammar.automaton.start);
}

/** A schema over a vocabulary: the same for all constraints to it. */
class Grammar {
  readonly automaton: ByteAutomaton;
  readonly #vocabulary: Vocabulary;
  readonly #trie: VocabularyTrie;
  /** The oldest first. */
  readonly #masks = new Map<State, Int32Array>();

  constructor(automaton: ByteAutomaton, vocabulary: Vocabulary, trie: VocabularyTrie) {
    this.automaton = automaton;
    this.#vocabulary = vocabulary;
    this.#trie = trie;
  }

  /** The tokens that may come next, without ends; not to be changed. Found in small parts, and kept. */
  *maskOf(state: State): Generator<void, Int32Array> {
    const known = this.#masks.get(state);
    if (known !== undefined) return known;
    const mask = yield* allowedTokens(this.#trie, this.automaton, state);
    if (this.#masks.size >= MAX_MASKS) this.#masks.delete(this.#masks.keys().next().value!);
    this.#masks.set(state, mask);
    return mask;
  }

  /** The state after a token; `null` where it may not come next. */
  step(state: State, token: number): State | null {
    const bytes = this.#vocabulary.tokenBytes(token);
    if (bytes === undefined || bytes.length === 0) return null;
    let next: State | null = state;
    for (const byte of bytes) next = next && this.automaton.step(next, byte);
    return next;
  }
}

interface PreparedVocabulary {
  readonly trie: Promise<VocabularyTrie>;
  /** By the schema's text, the one used last at the end. */
  readonly grammars: Map<string, Grammar>;
}

const prepared = new WeakMap<Vocabulary, PreparedVocabulary>();

async function grammarOf(schema: unknown, vocabulary: Vocabulary): Promise<Grammar> {
  let known = prepared.get(vocabulary);
  if (known === undefined) {
    known = { trie: createVocabularyTrie(vocabulary), grammars: new Map() };
    prepared.set(vocabulary, known);
  }
  const { grammars } = known;
  const text = JSON.stringify(schema) ?? "";
  const grammar = grammars.get(text) ?? new Grammar(createAutomaton(schema), vocabulary, await known.trie);
  grammars.delete(text);
  grammars.set(text, grammar);
  if (grammars.size > MAX_GRAMMARS) grammars.delete(grammars.keys().next().value!);
  return grammar;
}

function createAutomaton(schema: unknown): ByteAutomaton {
  const automaton = new ByteAutomaton(jsonSchemaExpression(schema));
  if (automaton.start.leaves.length > 0) return automaton;
  throw new ModelError("MODEL_INVALID_ARGUMENT", "the schema allows no value");
}

class GrammarConstraint implements JsonSchemaConstraint {
  readonly #grammar: Grammar;
  readonly #endTokenIds: readonly number[];
  /** Undefined once an end has come. */
  #state: State | undefined;

  constructor(grammar: Grammar, endTokenIds: readonly number[], state: State | undefined) {
    this.#grammar = grammar;
    this.#endTokenIds = endTokenIds;
    this.#state = state;
  }

  *prepare(): Generator<void, void> {
    if (this.#state !== undefined) yield* this.#grammar.maskOf(this.#state);
  }

  fill(mask: Int32Array): void {
    mask.fill(0);
    if (this.#state === undefined) return;
    mask.set(resultOf(this.#grammar.maskOf(this.#state)));
    for (const id of this.#endTokenIds) {
      const bit = 1 << (id & 31);
      mask[id >> 5] = this.#state.isComplete ? mask[id >> 5]! | bit : mask[id >> 5]! & ~bit;
    }
  }

  accept(token: number): void {
    const state = this.#state;
    const isEnd = this.#endTokenIds.includes(token);
    const next = state && !isEnd ? this.#grammar.step(state, token) : null;
    if (isEnd ? !state?.isComplete : next === null)
      throw new ModelError(
        "MODEL_INVALID_ARGUMENT",
        `accept: the constraint does not allow token ${token} here`,
      );
    this.#state = next ?? undefined;
  }

  get isDone(): boolean {
    return this.#state === undefined || (this.#state.isComplete && this.#state.leaves.length === 0);
  }

  fork(): JsonSchemaConstraint {
    return new GrammarConstraint(this.#grammar, this.#endTokenIds, this.#state);
  }
}

/** What comes of all the parts of `work`. */
function resultOf<T>(work: Generator<void, T>): T {
  for (;;) {
    const { done, value } = work.next();
    if (done) return value;
  }
}
