import { GenerationEngine } from '../../base-model/generate/engine.ts';
import { MillraceError } from '../../errors.ts';
import type { Generation } from '../decision.ts';
import type { ActingPolicy, GenerationOf, ScoringOf } from '../kind.ts';
import { engineOptions, type LoadedBase } from './base.ts';
import { LlamaModel } from './model.ts';
import type { LlamaSituations } from './situations.ts';
import type { LlamaSpec } from './spec.ts';

/** Weights of a language model that write. Policies with adapters of one base share its engine: their texts are written side by side. */
export class LlamaPolicy implements ActingPolicy<LlamaSituations> {
  readonly #spec: LlamaSpec;
  readonly #base: LoadedBase;
  readonly #model: LlamaModel;
  /** Of weights of its own, where all are trained. */
  #own: GenerationEngine | undefined;

  constructor(spec: LlamaSpec, base: LoadedBase) {
    this.#spec = spec;
    this.#base = base;
    this.#model = new LlamaModel(spec, base);
  }

  load(values: Float32Array): void {
    this.#forget();
    this.#model.load(values);
  }

  async generate(requests: readonly GenerationOf<LlamaSituations>[]): Promise<Generation[]> {
    const { maxTokens: most, base } = this.#spec;
    const { adapter } = this.#model.current;
    const engine = this.#engine();
    const texts = requests.map(({ table, situation, temperature, seed, maxTokens = most }) => {
      const prompt = table.prompt(situation);
      const room = base.config.contextLength - prompt.length;
      if (room < 1) {
        throw new MillraceError(
          'failed_precondition',
          `a prompt has ${prompt.length} tokens; the model ${base.path} has ${base.config.contextLength} positions, and needs one for an answer`,
        );
      }
      const { stopTokens } = this.#base;
      return { prompt, temperature, seed, maxTokens: Math.min(maxTokens, most, room), stopTokens, adapter };
    });
    return Promise.all(texts.map((text) => engine.generate(text)));
  }

  async score(requests: readonly ScoringOf<LlamaSituations>[]): Promise<number[][]> {
    const { adapter } = this.#model.current;
    const engine = this.#engine();
    const scored = requests.map(({ table, situation, tokens, temperature }) =>
      engine.score({ prompt: table.prompt(situation), tokens, temperature, adapter }),
    );
    return Promise.all(scored);
  }

  dispose(): void {
    this.#forget();
    this.#model.dispose();
  }

  #engine(): GenerationEngine {
    const { engine } = this.#base;
    if (engine !== undefined) return engine;
    return (this.#own ??= new GenerationEngine(this.#model.current.weights, engineOptions(this.#spec)));
  }

  /** Lets go of what is kept of weights that are about to be disposed of. */
  #forget(): void {
    this.#own?.dispose();
    this.#own = undefined;
    const adapter = this.#model.isLoaded ? this.#model.current.adapter : undefined;
    if (adapter !== undefined) this.#base.engine?.forget(adapter);
  }
}
