import {
  MillraceError,
  requireCodec,
  seededRandom,
  type ActingPolicy,
  type Experience,
  type Generation,
  type GenerationOf,
  type LossDerivatives,
  type PolicyLearner,
  type PolicySpec,
  type ScoringOf,
  type TokenLoss,
  type TokensOf,
} from 'millrace';
import { entropyOf, logitSlopes, logSoftmax } from '../softmax.ts';
import { CODEC, type Conversations, type SpellerPayload } from './situations.ts';
import { END, following, stateOf, STATES, WRITTEN } from './vocabulary.ts';

export interface SpellerSpec extends PolicySpec {
  kind: 'speller';
  tools: string[];
  /** Logits that a beginner's grammar is ahead of the rest. */
  grammar: number;
  maxTokens: number;
  seed: number;
  /** The last parameters are the values of the states. */
  value: boolean;
}

/** Where the logits after a token begin: one row for each state and token before. */
const rowOf = (state: number, before: number | undefined): number =>
  (state * (WRITTEN.length + 1) + (before === undefined ? 0 : before + 1)) * WRITTEN.length;

export const LOGITS = rowOf(STATES, undefined);

class Table {
  values = new Float32Array();
  readonly size: number;

  constructor(readonly spec: SpellerSpec) {
    this.size = LOGITS + (spec.value ? STATES : 0);
  }

  load(values: Float32Array): void {
    if (values.length !== this.size)
      throw new MillraceError('invalid_argument', `the policy has ${this.size} parameters, got ${values.length}`);
    this.values = values.slice();
  }

  /** log-probabilities of the tokens that may follow. */
  next(state: number, before: number | undefined, temperature: number): number[] {
    const row = rowOf(state, before);
    return logSoftmax(
      this.values,
      following(before).map((token) => row + token),
      temperature,
    );
  }

  dispose(): void {}
}

export class Acting extends Table implements ActingPolicy<Conversations> {
  generate(requests: readonly GenerationOf<Conversations>[]): Generation[] {
    return requests.map(({ table, situation, temperature, seed }) => {
      const state = stateOf(table.prompt(situation).at(-1)!);
      const random = seededRandom(seed);
      const tokens: number[] = [];
      const logProbabilities: number[] = [];
      while (tokens.at(-1) !== END && tokens.length < this.spec.maxTokens) {
        const logs = this.next(state, tokens.at(-1), temperature || 1);
        const chosen = temperature === 0 ? logs.indexOf(Math.max(...logs)) : draw(logs, random.uniform());
        tokens.push(following(tokens.at(-1))[chosen]!);
        logProbabilities.push(logs[chosen]!);
      }
      return { tokens, logProbabilities, finish: tokens.at(-1) === END ? 'stop' : 'length' };
    });
  }

  score(requests: readonly ScoringOf<Conversations>[]): number[][] {
    return requests.map(({ table, situation, tokens, temperature }) => {
      const state = stateOf(table.prompt(situation).at(-1)!);
      return tokens.map((token, i) => {
        const before = tokens[i - 1];
        return this.next(state, before, temperature)[following(before).indexOf(token)] ?? -Infinity;
      });
    });
  }
}

function draw(logs: readonly number[], uniform: number): number {
  let left = uniform;
  const chosen = logs.findIndex((log) => (left -= Math.exp(log)) < 0);
  return chosen < 0 ? logs.length - 1 : chosen;
}

/** One token that is learned from. */
interface Token {
  state: number;
  before: number | undefined;
  token: number;
}

export class Learner extends Table implements PolicyLearner<Token[]> {
  open(experience: Experience, field: string): Token[] {
    requireCodec(experience, CODEC);
    const { last, tokens } = JSON.parse(new TextDecoder().decode(experience.payload)) as SpellerPayload;
    const all = tokens.flatMap((written, d) =>
      written.map((token, i) => ({ state: stateOf(last[d]!), before: written[i - 1], token })),
    );
    const wrong = all.findIndex(({ before, token }) => !following(before).includes(token));
    if (wrong < 0) return all;
    throw new MillraceError('invalid_argument', `${field}: token ${wrong} cannot stand where it does`, { field });
  }

  evaluate(batch: readonly TokensOf<Token[]>[]) {
    const { logProbs, values } = this.#inputs(batch);
    return { logProbs, ...(values && { values }) };
  }

  learn(batch: readonly TokensOf<Token[]>[], loss: TokenLoss, gradient: Float64Array): void {
    const by: LossDerivatives = loss(this.#inputs(batch));
    this.#each(batch, ({ state, before, token }, logs, t, temperature) => {
      const follow = following(before);
      const slopes = logitSlopes(logs, follow.indexOf(token), { log: by.logProbs[t]!, entropy: by.entropies[t]!, temperature });
      follow.forEach((other, j) => (gradient[rowOf(state, before) + other]! += slopes[j]!));
      if (this.spec.value) gradient[LOGITS + state]! += by.values?.[t] ?? 0;
    });
  }

  #inputs(batch: readonly TokensOf<Token[]>[]) {
    const [logProbs, entropies, values]: [number[], number[], number[]] = [[], [], []];
    this.#each(batch, ({ state, before, token }, logs) => {
      logProbs.push(logs[following(before).indexOf(token)]!);
      entropies.push(entropyOf(logs));
      values.push(this.values[LOGITS + state]!);
    });
    const made = { logProbs: Float64Array.from(logProbs), entropies: Float64Array.from(entropies) };
    return { ...made, ...(this.spec.value && { values: Float64Array.from(values) }) };
  }

  #each(
    batch: readonly TokensOf<Token[]>[],
    visit: (token: Token, logs: number[], t: number, temperature: number) => void,
  ): void {
    let t = 0;
    for (const { payload, places, temperature } of batch)
      for (const place of places) {
        const token = payload[place]!;
        visit(token, this.next(token.state, token.before, temperature), t++, temperature);
      }
  }
}
