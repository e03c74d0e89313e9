// The tokens of a vocabulary as a tree of their bytes: which of them an automaton allows is found by walking it once.
import { TimeSlice } from "../engine/time-slice.ts";
import type { ByteAutomaton, State } from "./byte-automaton.ts";

/** Nodes of the tree in depth-first order, without the root. */
export interface VocabularyTrie {
  /** One more than the largest id. */
  readonly vocabSize: number;
  /** The byte that leads to a node, and the number of those before it. */
  readonly byte: Uint8Array;
  readonly depth: Uint16Array;
  /** The node after all below a node. */
  readonly after: Int32Array;
  /** A token that ends at a node, or −1; and the next one of the same bytes. */
  readonly token: Int32Array;
  readonly same: Int32Array;
}

/** What a vocabulary is to a constraint. */
export interface Vocabulary {
  readonly vocabSize: number;
  /** The bytes that a token stands for in text; undefined for one that stands for none, such as an end of sequence. */
  tokenBytes(id: number): Uint8Array | undefined;
}

/** The tree of a vocabulary; the event loop is left free while it is made. */
export async function createVocabularyTrie(vocabulary: Vocabulary): Promise<VocabularyTrie> {
  const slice = new TimeSlice();
  const tree = new Tree(vocabulary.vocabSize);
  for (let id = 0; id < vocabulary.vocabSize; id++) {
    if (slice.isOver) await slice.pause();
    const bytes = vocabulary.tokenBytes(id);
    if (bytes !== undefined && bytes.length > 0) tree.add(id, bytes);
  }
  return tree.flatten(slice);
}

/** Nodes that are gone through in one part: a fraction of a millisecond. */
const NODES_PER_PART = 4096;

/** A bit for each token of the trie all of whose bytes may come next; found in small parts. */
export function* allowedTokens(
  trie: VocabularyTrie,
  automaton: ByteAutomaton,
  start: State,
): Generator<void, Int32Array> {
  const mask = new Int32Array(Math.ceil(trie.vocabSize / 32));
  const path: State[] = [start];
  const { byte, depth, after, token, same } = trie;
  let left = 0;
  for (let node = 0; node < byte.length; ) {
    if (left-- === 0) {
      yield;
      left = NODES_PER_PART;
    }
    const at = depth[node]!;
    const state = automaton.step(path[at]!, byte[node]!);
    if (state === null) {
      node = after[node]!;
      continue;
    }
    path[at + 1] = state;
    for (let id = token[node]!; id >= 0; id = same[id]!) mask[id >> 5]! |= 1 << (id & 31);
    node++;
  }
  return mask;
}

/** The tree while it grows: children of a node are a linked list; node 0 is the root. */
class Tree {
  readonly #byte = [0];
  readonly #firstChild = [0];
  readonly #sibling = [0];
  readonly #token = [-1];
  readonly #same: Int32Array;
  /** Node · 256 + byte → child. */
  readonly #children = new Map<number, number>();

  constructor(vocabSize: number) {
    this.#same = new Int32Array(vocabSize).fill(-1);
  }

  add(id: number, bytes: Uint8Array): void {
    let node = 0;
    for (const byte of bytes) node = this.#children.get(node * 256 + byte) ?? this.#addChild(node, byte);
    this.#same[id] = this.#token[node]!;
    this.#token[node] = id;
  }

  #addChild(parent: number, byte: number): number {
    const node = this.#byte.push(byte) - 1;
    this.#children.set(parent * 256 + byte, node);
    this.#sibling.push(this.#firstChild[parent]!);
    this.#firstChild[parent] = node;
    this.#firstChild.push(0);
    this.#token.push(-1);
    return node;
  }

  async flatten(slice: TimeSlice): Promise<VocabularyTrie> {
    const count = this.#byte.length - 1;
    const trie = {
      vocabSize: this.#same.length,
      byte: new Uint8Array(count),
      depth: new Uint16Array(count),
      after: new Int32Array(count),
      token: new Int32Array(count),
      same: this.#same,
    };
    // Open nodes from the root down: each one's place in the trie, and the child of it that comes next.
    const places: number[] = [-1];
    const children = [this.#firstChild[0]!];
    for (let place = 0; children.length > 0; ) {
      if (slice.isOver) await slice.pause();
      const node = children.at(-1)!;
      if (node === 0) {
        const closed = places.pop()!;
        children.pop();
        if (closed >= 0) trie.after[closed] = place;
        continue;
      }
      children[children.length - 1] = this.#sibling[node]!;
      trie.byte[place] = this.#byte[node]!;
      trie.depth[place] = places.length - 1;
      trie.token[place] = this.#token[node]!;
      places.push(place);
      children.push(this.#firstChild[node]!);
      place++;
    }
    return trie;
  }
}
