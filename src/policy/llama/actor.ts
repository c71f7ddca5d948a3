import type { ActingPolicy, PolicyActor } from '../kind.ts';
import type { Reading } from '../decision.ts';
import type { FlowOutline } from '../plan.ts';
import { LlamaPolicy } from './acting.ts';
import type { LoadedBase } from './base.ts';
import { LlamaSituations } from './situations.ts';
import type { LlamaSpec } from './spec.ts';

/** A language model that acts. */
export class LlamaActor implements PolicyActor<LlamaSituations> {
  readonly #spec: LlamaSpec;
  readonly #base: LoadedBase;
  readonly #flow: FlowOutline;

  constructor(spec: LlamaSpec, base: LoadedBase, flow: FlowOutline) {
    this.#spec = spec;
    this.#base = base;
    this.#flow = flow;
  }

  situations(): LlamaSituations {
    return new LlamaSituations(this.#base, this.#flow);
  }

  policy(): ActingPolicy<LlamaSituations> {
    return new LlamaPolicy(this.#spec, this.#base);
  }

  read(tokens: readonly number[]): Reading {
    const { tokenizer, format, stopTokens } = this.#base;
    const isOver = stopTokens.includes(tokens.at(-1)!);
    const text = tokenizer.decode(isOver ? tokens.slice(0, -1) : tokens);
    return { text, ...format.read(text) };
  }
}
