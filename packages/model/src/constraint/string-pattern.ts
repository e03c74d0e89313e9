// Regular expressions of JSON Schema's `pattern`, as expressions over what is written within a JSON string.
import { type CodePoints, characterOf, complementOf } from "./characters.ts";
import { choice, EMPTY, type Expression, repeat, sequence } from "./expression.ts";
import { STRING_CHARACTER } from "./json-expressions.ts";

const DIGITS: readonly CodePoints[] = [[0x30, 0x39]];
const WORD: readonly CodePoints[] = [...DIGITS, [0x41, 0x5a], [0x5f, 0x5f], [0x61, 0x7a]];
const LINE_ENDS: readonly CodePoints[] = [
  [0x0a, 0x0a],
  [0x0d, 0x0d],
  [0x2028, 0x2029],
];
const WHITE_SPACE: readonly CodePoints[] = [
  [0x09, 0x0d],
  [0x20, 0x20],
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x2028, 0x2029],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
  [0xfeff, 0xfeff],
];

/** Classes by the letter of their escape. */
const CLASSES: Readonly<Record<string, readonly CodePoints[]>> = {
  d: DIGITS,
  D: complementOf(DIGITS),
  w: WORD,
  W: complementOf(WORD),
  s: WHITE_SPACE,
  S: complementOf(WHITE_SPACE),
};
const CONTROLS: Readonly<Record<string, number>> = { t: 9, n: 10, v: 11, f: 12, r: 13, 0: 0 };

/** Why a pattern cannot be followed. */
export class PatternError extends Error {}

/**
 * The contents of JSON strings in which a pattern is found. Anchors stand at the ends of its alternatives only.
 *
 * @throws PatternError for look-around, back references, word boundaries, properties of characters, and what is no pattern
 * @see ECMA-262, patterns with the flag `u`
 */
export function patternExpression(pattern: string): Expression {
  return new PatternParser(pattern).parse();
}

class PatternParser {
  readonly #characters: readonly string[];
  #at = 0;

  constructor(pattern: string) {
    this.#characters = Array.from(pattern);
  }

  parse(): Expression {
    const anything = repeat(STRING_CHARACTER);
    const alternatives: Expression[] = [];
    do {
      const before = this.#skip("^") ? EMPTY : anything;
      const found = this.#sequence();
      alternatives.push(sequence(before, found, this.#skip("$") ? EMPTY : anything));
    } while (this.#skip("|"));
    if (this.#at < this.#characters.length) throw this.#unexpected();
    return choice(...alternatives);
  }

  #alternatives(): Expression {
    const parts = [this.#sequence()];
    while (this.#skip("|")) parts.push(this.#sequence());
    return choice(...parts);
  }

  #sequence(): Expression {
    const parts: Expression[] = [];
    for (let next = this.#next; next !== undefined && !"|)$".includes(next); next = this.#next)
      parts.push(this.#repeated(this.#atom()));
    return sequence(...parts);
  }

  #repeated(part: Expression): Expression {
    const [min, max] = this.#quantifier();
    // A lazy quantifier finds the same strings.
    if (min !== 1 || max !== 1) this.#skip("?");
    return min === 1 && max === 1 ? part : repeat(part, min, max);
  }

  #quantifier(): readonly [min: number, max: number] {
    if (this.#skip("*")) return [0, Number.POSITIVE_INFINITY];
    if (this.#skip("+")) return [1, Number.POSITIVE_INFINITY];
    if (this.#skip("?")) return [0, 1];
    if (!this.#skip("{")) return [1, 1];
    const min = this.#number();
    const max = !this.#skip(",") ? min : this.#next === "}" ? Number.POSITIVE_INFINITY : this.#number();
    this.#expect("}");
    if (min > max) throw this.#unexpected();
    return [min, max];
  }

  #number(): number {
    let digits = "";
    while (/^\d$/.test(this.#next ?? "")) digits += this.#take();
    if (digits === "") throw this.#unexpected();
    return Number(digits);
  }

  #atom(): Expression {
    const character = this.#take();
    switch (character) {
      case "(":
        return this.#group();
      case "[":
        return characterOf(this.#class());
      case ".":
        return characterOf(complementOf(LINE_ENDS));
      case "\\":
        return characterOf(this.#escape());
      default:
        if ("^*+?{}]".includes(character)) throw this.#unexpected();
        return characterOf([codePoint(character)]);
    }
  }

  #group(): Expression {
    if (this.#skip("?")) {
      const kind = this.#take();
      if (kind === "<" && !["=", "!"].includes(this.#next ?? "")) while (this.#take() !== ">");
      else if (kind !== ":") throw new PatternError(`"(?${kind}"`);
    }
    const inside = this.#alternatives();
    this.#expect(")");
    return inside;
  }

  #class(): readonly CodePoints[] {
    const isNegated = this.#skip("^");
    const ranges: CodePoints[] = [];
    while (!this.#skip("]")) {
      const first = this.#classMember();
      if (this.#next !== "-" || this.#characters[this.#at + 1] === "]") {
        ranges.push(...first);
        continue;
      }
      this.#take();
      const last = this.#classMember();
      const [low, high] = [first[0]?.[0] ?? 0, last[0]?.[1] ?? 0];
      if (!isSingle(first) || !isSingle(last) || low > high) throw this.#unexpected();
      ranges.push([low, high]);
    }
    return isNegated ? complementOf(ranges) : ranges;
  }

  #classMember(): readonly CodePoints[] {
    const character = this.#take();
    if (character !== "\\") return [codePoint(character)];
    return this.#skip("b") ? [[8, 8]] : this.#escape();
  }

  #escape(): readonly CodePoints[] {
    const letter = this.#take();
    if (Object.hasOwn(CLASSES, letter)) return CLASSES[letter]!;
    if (Object.hasOwn(CONTROLS, letter)) return [[CONTROLS[letter]!, CONTROLS[letter]!]];
    if (letter === "x") return this.#hexadecimal(2);
    if (letter === "u") return this.#next === "{" ? this.#braced() : this.#hexadecimal(4);
    if (/^[\p{L}\p{N}_]$/u.test(letter)) throw new PatternError(`"\\${letter}"`);
    return [codePoint(letter)];
  }

  #hexadecimal(length: number): readonly CodePoints[] {
    return this.#code(Array.from({ length }, () => this.#take()).join(""));
  }

  #braced(): readonly CodePoints[] {
    let digits = "";
    for (let next = this.#take() && this.#take(); next !== "}"; next = this.#take()) digits += next;
    return this.#code(digits);
  }

  #code(digits: string): readonly CodePoints[] {
    const code = /^[\da-f]+$/i.test(digits) ? Number.parseInt(digits, 16) : Number.NaN;
    if (!(code <= 0x10ffff)) throw this.#unexpected();
    return [[code, code]];
  }

  get #next(): string | undefined {
    return this.#characters[this.#at];
  }

  #take(): string {
    const character = this.#next;
    if (character === undefined) throw new PatternError("an end that comes too soon");
    this.#at += 1;
    return character;
  }

  #skip(character: string): boolean {
    const isThere = this.#next === character;
    if (isThere) this.#at += 1;
    return isThere;
  }

  #expect(character: string): void {
    if (!this.#skip(character)) throw this.#unexpected();
  }

  #unexpected(): PatternError {
    return new PatternError(`"${this.#next ?? ""}" at ${this.#at}`);
  }
}

const codePoint = (character: string): CodePoints => [character.codePointAt(0)!, character.codePointAt(0)!];

const isSingle = ([range, ...more]: readonly CodePoints[]): boolean =>
  range !== undefined && more.length === 0 && range[0] === range[1];
