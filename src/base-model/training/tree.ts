/** Texts that share what they begin with, as a tree of tokens: each shared beginning is computed once. */

/** Tokens of a tree that follow one another without a branch. */
export interface Branch {
  tokens: readonly number[];
  /** Place of the branch that they go on from; absent at a beginning. */
  after?: number;
}

/** A token whose probability is asked for. */
export interface Target {
  /** Row of the token before it: branch after branch, token after token. */
  row: number;
  token: number;
}

const ROOT = -1;

/** Grows by texts; its branches and rows depend on the texts and their order alone. */
export class TokenTree {
  readonly #tokens: number[] = [];
  readonly #parents: number[] = [];
  readonly #children: Map<number, number>[] = [];
  readonly #first = new Map<number, number>();
  readonly #targets: { node: number; token: number }[] = [];

  /** Rows so far. */
  get rows(): number {
    return this.#tokens.length;
  }

  /**
   * Adds what is needed to say how likely a token is.
   *
   * @param prompt - at least one token
   * @param tokens - what follows it
   * @param index - which one of `tokens` is asked for
   */
  add(prompt: readonly number[], tokens: readonly number[], index: number): void {
    let node = ROOT;
    for (const token of prompt) node = this.#child(node, token);
    for (let i = 0; i < index; i++) node = this.#child(node, tokens[i]!);
    this.#targets.push({ node, token: tokens[index]! });
  }

  /** Branches, parents before children, and the targets in the order in which they were added. */
  layout(): { branches: Branch[]; targets: Target[] } {
    const branches: { tokens: number[]; after?: number }[] = [];
    const branchOf: number[] = [];
    const within: number[] = [];
    this.#tokens.forEach((token, node) => {
      const parent = this.#parents[node]!;
      let branch = parent === ROOT || this.#children[parent]!.size > 1 ? undefined : branchOf[parent];
      if (branch === undefined) branch = branches.push({ tokens: [], ...(parent !== ROOT && { after: branchOf[parent]! }) }) - 1;
      branchOf.push(branch);
      within.push(branches[branch]!.tokens.push(token) - 1);
    });
    let rows = 0;
    const starts = branches.map(({ tokens }) => (rows += tokens.length) - tokens.length);
    return {
      branches,
      targets: this.#targets.map(({ node, token }) => ({ row: starts[branchOf[node]!]! + within[node]!, token })),
    };
  }

  #child(node: number, token: number): number {
    const children = node === ROOT ? this.#first : this.#children[node]!;
    let child = children.get(token);
    if (child === undefined) {
      child = this.#tokens.push(token) - 1;
      this.#parents.push(node);
      this.#children.push(new Map());
      children.set(token, child);
    }
    return child;
  }
}
