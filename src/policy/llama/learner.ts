import { evaluateTree, learnTree, type PassOptions } from '../../base-model/training/pass.ts';
import { TokenTree } from '../../base-model/training/tree.ts';
import type { Experience } from '../experience.ts';
import type { LossDerivatives, LossInputs, PolicyLearner, TokenLoss, TokenOutputs, TokensOf } from '../kind.ts';
import type { LoadedBase } from './base.ts';
import { decodeDecisions, type WrittenDecision } from './codec.ts';
import { LlamaModel } from './model.ts';
import type { LlamaSpec } from './spec.ts';

/** What a learner reads of a group. */
export interface LlamaPayload {
  decisions: readonly WrittenDecision[];
  /** Place of the first token of each decision among all tokens of the group. */
  starts: readonly number[];
}

/** A language model that learns: a group's texts are a tree, whose shared beginnings are computed once. */
export class LlamaLearner implements PolicyLearner<LlamaPayload> {
  readonly size: number;
  readonly #spec: LlamaSpec;
  readonly #model: LlamaModel;

  constructor(spec: LlamaSpec, base: LoadedBase) {
    this.#spec = spec;
    this.#model = new LlamaModel(spec, base);
    this.size = this.#model.size;
  }

  load(values: Float32Array): void {
    this.#model.load(values);
  }

  open(experience: Experience, field: string): LlamaPayload {
    const decisions = decodeDecisions(experience, field, this.#spec.base.config.vocabulary);
    let place = 0;
    return { decisions, starts: decisions.map(({ tokens }) => (place += tokens.length) - tokens.length) };
  }

  microBatch({ payload, places }: TokensOf<LlamaPayload>): number {
    const tree = new TokenTree();
    const limit = this.#spec.microBatchTokens;
    const fitting = places.findIndex((place) => {
      add(tree, payload, place);
      return tree.rows > limit;
    });
    return fitting < 0 ? places.length : Math.max(1, fitting);
  }

  evaluate(batch: readonly TokensOf<LlamaPayload>[]): TokenOutputs {
    return finished(this.evaluateInSteps(batch));
  }

  learn(batch: readonly TokensOf<LlamaPayload>[], loss: TokenLoss, gradient: Float64Array): void {
    finished(this.learnInSteps(batch, loss, gradient));
  }

  *evaluateInSteps(batch: readonly TokensOf<LlamaPayload>[]): Generator<void, LossInputs> {
    const parts: LossInputs[] = [];
    for (const tokens of batch) parts.push(yield* evaluateTree(this.#model.current, treeOf(tokens), this.#options(tokens)));
    const [first] = parts;
    if (first && parts.length === 1) return first;
    const joined = (key: 'logProbs' | 'entropies' | 'values'): Float64Array =>
      Float64Array.from(parts.flatMap((part) => [...(part[key] ?? [])]));
    return { logProbs: joined('logProbs'), entropies: joined('entropies'), ...(first?.values && { values: joined('values') }) };
  }

  *learnInSteps(batch: readonly TokensOf<LlamaPayload>[], loss: TokenLoss, gradient: Float64Array): Generator<void, void> {
    const [only] = batch;
    if (only && batch.length === 1) {
      yield* learnTree(this.#model.current, treeOf(only), { ...this.#options(only), loss, gradient });
      return;
    }
    // The loss wants all tokens at once: they are computed once more, group by group, with what it said.
    const by = loss(yield* this.evaluateInSteps(batch));
    let start = 0;
    for (const tokens of batch) {
      const part = partOf(by, start, (start += tokens.places.length));
      yield* learnTree(this.#model.current, treeOf(tokens), { ...this.#options(tokens), loss: () => part, gradient });
    }
  }

  dispose(): void {
    this.#model.dispose();
  }

  #options({ temperature }: TokensOf<LlamaPayload>): PassOptions {
    return { temperature, value: this.#model.value };
  }
}

function treeOf({ payload, places }: TokensOf<LlamaPayload>): TokenTree {
  const tree = new TokenTree();
  for (const place of places) add(tree, payload, place);
  return tree;
}

function add(tree: TokenTree, { decisions, starts }: LlamaPayload, place: number): void {
  // The last decision that begins at or before the place: binary search, for there are thousands of tokens.
  let [low, high] = [0, starts.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (starts[middle]! <= place) low = middle;
    else high = middle - 1;
  }
  const { prompt, tokens } = decisions[low]!;
  tree.add(prompt, tokens, place - starts[low]!);
}

function partOf({ logProbs, entropies, values }: LossDerivatives, start: number, end: number): LossDerivatives {
  const part = (all: Float64Array): Float64Array => all.subarray(start, end);
  return { logProbs: part(logProbs), entropies: part(entropies), ...(values && { values: part(values) }) };
}

function finished<T>(steps: Generator<void, T>): T {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}
