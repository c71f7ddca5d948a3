import { evaluateTree } from '../../base-model/training/pass.ts';
import { TokenTree } from '../../base-model/training/tree.ts';
import { nextTurn } from '../../clock/turn.ts';
import { MillraceError } from '../../errors.ts';
import type { Generation } from '../decision.ts';
import type { ActingPolicy, GenerationOf, ScoringOf } from '../kind.ts';
import type { LoadedBase } from './base.ts';
import { LlamaModel } from './model.ts';
import { writeTexts } from './sampler.ts';
import type { LlamaSituations } from './situations.ts';
import type { LlamaSpec } from './spec.ts';

/** Weights of a language model that write. */
export class LlamaPolicy implements ActingPolicy<LlamaSituations> {
  readonly #spec: LlamaSpec;
  readonly #base: LoadedBase;
  readonly #model: LlamaModel;

  constructor(spec: LlamaSpec, base: LoadedBase) {
    this.#spec = spec;
    this.#base = base;
    this.#model = new LlamaModel(spec, base);
  }

  load(values: Float32Array): void {
    this.#model.load(values);
  }

  async generate(requests: readonly GenerationOf<LlamaSituations>[]): Promise<Generation[]> {
    const { maxTokens: most, base } = this.#spec;
    const texts = requests.map(({ table, situation, temperature, seed, maxTokens = most }) => {
      const prompt = table.prompt(situation);
      const room = base.config.contextLength - prompt.length;
      if (room < 1) {
        throw new MillraceError(
          'failed_precondition',
          `a prompt has ${prompt.length} tokens; the model ${base.path} has ${base.config.contextLength} positions, and needs one for an answer`,
        );
      }
      return { prompt, temperature, seed, maxTokens: Math.min(maxTokens, most, room) };
    });
    return writeTexts(this.#model.current, texts, this.#base.stopTokens);
  }

  async score(requests: readonly ScoringOf<LlamaSituations>[]): Promise<number[][]> {
    const scores: number[][] = [];
    for (const { table, situation, tokens, temperature } of requests) {
      const tree = new TokenTree();
      tokens.forEach((_, index) => tree.add(table.prompt(situation), tokens, index));
      const steps = evaluateTree(this.#model.current, tree, { temperature });
      for (let next = steps.next(); ; next = steps.next()) {
        if (next.done) {
          scores.push([...next.value.logProbs]);
          break;
        }
        await nextTurn();
      }
    }
    return scores;
  }

  dispose(): void {
    this.#model.dispose();
  }
}
