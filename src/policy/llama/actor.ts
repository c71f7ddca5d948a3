import type { ActingPolicy, PolicyActor } from '../kind.ts';
import type { Speech } from '../../base-model/chat/conversation.ts';
import { MillraceError } from '../../errors.ts';
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

  write(speech: Speech, prompt: readonly number[]): number[] {
    const { tokenizer, format, stopTokens } = this.#base;
    const { maxTokens, base } = this.#spec;
    const refused = (problem: string): MillraceError => new MillraceError('failed_precondition', problem);
    const text = format.write(speech);
    const tokens = tokenizer.encode(text, { special: false });
    const decoded = tokenizer.decode(tokens);
    if (decoded.trim() !== text.trim())
      throw refused(`the model's tokens make ${JSON.stringify(decoded)} of ${JSON.stringify(text)}`);
    tokens.push(stopTokens.find((token) => tokenizer.decode([token]) === format.end) ?? stopTokens[0]!);
    if (tokens.length > maxTokens) throw refused(`it has ${tokens.length} tokens, and policy.maxTokens is ${maxTokens}`);
    if (prompt.length + tokens.length > base.config.contextLength)
      throw refused(
        `with its prompt it has ${prompt.length + tokens.length} tokens, and the model has ${base.config.contextLength} positions`,
      );
    return tokens;
  }
}
