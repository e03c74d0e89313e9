// Which beginnings of sequences are computed already, page by page, as a tree. Counts no users and gives out no pages.

/** A full page of tokens after those of its parent; the root of a tree stands for no tokens. */
export interface PrefixNode {
  /** Where the keys and values are; −1 for a root. */
  readonly page: number;
  readonly parent: PrefixNode | undefined;
  /** The page's tokens, as `pageText` writes them. */
  readonly text: string;
  readonly children: Map<string, PrefixNode>;
}

/** Tokens as a key of the tree: equal exactly when all tokens are. */
export const pageText = (tokens: readonly number[]): string => tokens.join();

/** Full pages by the tokens in them and before them: nothing is found by a hash alone. */
export class PrefixCache {
  readonly #roots = new Map<number, PrefixNode>();
  readonly #nodes = new Map<number, PrefixNode>();

  /** Full pages that can be found. */
  get size(): number {
    return this.#nodes.size;
  }

  /** Where sequences begin whose tokens go through `adapter`: another adapter gives other keys and values. */
  root(adapter: number): PrefixNode {
    let root = this.#roots.get(adapter);
    if (root === undefined) {
      root = { page: -1, parent: undefined, text: "", children: new Map() };
      this.#roots.set(adapter, root);
    }
    return root;
  }

  /** The page that holds `text` after `parent`. */
  find(parent: PrefixNode, text: string): PrefixNode | undefined {
    return parent.children.get(text);
  }

  /** Enters a page that is computed and from now on only read; `find` gives nothing for its text so far. */
  add(parent: PrefixNode, text: string, page: number): PrefixNode {
    const node = { page, parent, text, children: new Map() };
    parent.children.set(text, node);
    this.#nodes.set(page, node);
    return node;
  }

  /** Takes a page out. Whoever uses a page uses those before it too, so that the last of a branch is out first. */
  remove(page: number): void {
    const node = this.#nodes.get(page);
    node?.parent?.children.delete(node.text);
    this.#nodes.delete(page);
  }
}
