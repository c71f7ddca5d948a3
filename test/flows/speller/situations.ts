import { encodeExperience, type RecordedGeneration, type SituationTable, type Turn } from 'millrace';
import { answerToken, CLOSE, START } from './vocabulary.ts';

export const CODEC = { kind: 'speller', codec: 'speller/1' };

/** What decisions were about: the token that each of them was an answer to, and what was written. */
export interface SpellerPayload {
  last: number[];
  tokens: number[][];
}

/** Conversations as tokens: a beginning, and after each text of the policy one token for what the tool answered. */
export class Conversations implements SituationTable {
  readonly #prompts: number[][] = [];
  readonly #index = new Map<string, number>();

  add({ text = '' }: Parameters<SituationTable['add']>[0], before?: Turn): number {
    const prompt =
      before === undefined
        ? [text === '' ? START : answerToken(text)]
        : [...this.#prompts[before.situation]!, ...before.decision.tokens, answerToken(before.result)];
    const key = prompt.join();
    let index = this.#index.get(key);
    if (index === undefined) this.#index.set(key, (index = this.#prompts.push(prompt) - 1));
    return index;
  }

  stateFlags(): undefined {
    return undefined;
  }

  prompt(situation: number): readonly number[] {
    return this.#prompts[situation]!;
  }

  encode(members: readonly (readonly RecordedGeneration[])[], temperature: number): Uint8Array {
    const decisions = members.flat();
    const tokens = decisions.map((decision) => [...decision.tokens]);
    const payload: SpellerPayload = { last: decisions.map(({ situation }) => this.#prompts[situation]!.at(-1)!), tokens };
    return encodeExperience({
      ...CODEC,
      payload: new TextEncoder().encode(JSON.stringify(payload)),
      temperature,
      trajectoryLengths: members.map(({ length }) => length),
      decisionLengths: tokens.map(({ length }) => length),
      logProbabilities: decisions.flatMap(({ logProbabilities }) => logProbabilities),
      // What the grammar forces teaches nothing.
      mask: Uint8Array.from(tokens.flatMap((written) => written.map((_, i) => (written[i - 1] === CLOSE ? 0 : 1)))),
    });
  }
}
