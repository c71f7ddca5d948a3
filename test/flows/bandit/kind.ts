/** The smallest policy kind: a logit for each tool, whatever the situation. No tensor library, and a gradient of its own. */
import {
  encodeExperience,
  MillraceError,
  requireCodec,
  z,
  type ActingPolicy,
  type Experience,
  type FlowOutline,
  type LossDerivatives,
  type PolicyKind,
  type PolicyLearner,
  type PolicySpec,
  type RecordedChoice,
  type SituationTable,
  type TokenLoss,
  type TokensOf,
} from 'millrace';
import { entropyOf, logitSlopes, logSoftmax, uniforms } from '../softmax.ts';

const CODEC = { kind: 'bandit', codec: 'bandit/1' };

interface BanditSpec extends PolicySpec {
  kind: 'bandit';
  tools: string[];
  /** Deviation of the first logits. */
  spread: number;
  seed: number;
  /** There is a last parameter: the value of every situation. */
  value: boolean;
}

/** What decisions were about: the tools of the open actions, by situation. */
interface BanditPayload {
  situations: number[][];
  /** One per decision: index of its situation and of the chosen action. */
  situation: number[];
  action: number[];
}

class BanditSituations implements SituationTable {
  readonly open: number[][] = [];
  readonly #index = new Map<string, number>();

  constructor(readonly tools: readonly string[]) {}

  add({ actions }: Parameters<SituationTable['add']>[0]): number {
    const open = actions.map(({ tool }) => this.tools.indexOf(tool));
    const key = open.join();
    let index = this.#index.get(key);
    if (index === undefined) this.#index.set(key, (index = this.open.push(open) - 1));
    return index;
  }

  stateFlags(): undefined {
    return undefined;
  }

  encode(members: readonly (readonly RecordedChoice[])[], temperature: number): Uint8Array {
    const order: number[] = [];
    const place = (situation: number): number => {
      if (!order.includes(situation)) order.push(situation);
      return order.indexOf(situation);
    };
    const decisions = members.flat();
    const situation = decisions.map((decision) => place(decision.situation));
    const payload: BanditPayload = {
      situations: order.map((index) => this.open[index]!),
      situation,
      action: decisions.map(({ action }) => action),
    };
    return encodeExperience({
      ...CODEC,
      payload: new TextEncoder().encode(JSON.stringify(payload)),
      temperature,
      trajectoryLengths: members.map(({ length }) => length),
      logProbabilities: decisions.map(({ logProbability }) => logProbability),
    });
  }
}

class Table {
  values = new Float32Array();
  readonly size: number;

  constructor(readonly spec: BanditSpec) {
    this.size = spec.tools.length + (spec.value ? 1 : 0);
  }

  load(values: Float32Array): void {
    if (values.length !== this.size)
      throw new MillraceError('invalid_argument', `the policy has ${this.size} parameters, got ${values.length}`);
    this.values = values.slice();
  }

  dispose(): void {}
}

class Acting extends Table implements ActingPolicy<BanditSituations> {
  logProbabilities(situations: readonly { table: BanditSituations; situation: number }[], temperature: number) {
    return situations.map(({ table, situation }) =>
      Float32Array.from(logSoftmax(this.values, table.open[situation]!, temperature)),
    );
  }
}

class Learner extends Table implements PolicyLearner<BanditPayload> {
  open(experience: Experience, field: string): BanditPayload {
    requireCodec(experience, CODEC);
    const payload = JSON.parse(new TextDecoder().decode(experience.payload)) as BanditPayload;
    const wrong = payload.situation.findIndex((at, d) => payload.situations[at]?.[payload.action[d]!] === undefined);
    if (wrong >= 0)
      throw new MillraceError('invalid_argument', `${field}: decision ${wrong} chose an action that was not open`, { field });
    return payload;
  }

  evaluate(batch: readonly TokensOf<BanditPayload>[]) {
    const inputs = this.#inputs(batch);
    return { logProbs: inputs.logProbs, ...(inputs.values && { values: inputs.values }) };
  }

  learn(batch: readonly TokensOf<BanditPayload>[], loss: TokenLoss, gradient: Float64Array): void {
    const derivatives = loss(this.#inputs(batch));
    this.#each(batch, (token, t) => this.#add(token, t, derivatives, gradient));
  }

  #inputs(batch: readonly TokensOf<BanditPayload>[]) {
    const logProbs: number[] = [];
    const entropies: number[] = [];
    this.#each(batch, ({ logs, action }) => {
      logProbs.push(logs[action]!);
      entropies.push(entropyOf(logs));
    });
    const values = this.spec.value ? { values: Float64Array.from(logProbs, () => this.values.at(-1)!) } : {};
    return { logProbs: Float64Array.from(logProbs), entropies: Float64Array.from(entropies), ...values };
  }

  #add({ logs, open, action, temperature }: Token, t: number, by: LossDerivatives, gradient: Float64Array): void {
    const slopes = logitSlopes(logs, action, { log: by.logProbs[t]!, entropy: by.entropies[t]!, temperature });
    open.forEach((tool, j) => (gradient[tool]! += slopes[j]!));
    if (this.spec.value) gradient[this.size - 1]! += by.values?.[t] ?? 0;
  }

  #each(batch: readonly TokensOf<BanditPayload>[], visit: (token: Token, t: number) => void): void {
    let t = 0;
    for (const { payload, places, temperature } of batch)
      for (const place of places) {
        const open = payload.situations[payload.situation[place]!]!;
        const logs = logSoftmax(this.values, open, temperature);
        visit({ open, logs, action: payload.action[place]!, temperature }, t++);
      }
  }
}

interface Token {
  open: readonly number[];
  logs: readonly number[];
  action: number;
  temperature: number;
}

const settings = z.strictObject({
  spread: z.number().min(0).max(10).default(0.1).describe('deviation of the first logits'),
});

export const banditKind: PolicyKind<BanditSpec, z.infer<typeof settings>, BanditSituations> = {
  name: 'bandit',
  settings,
  specification: ({ tools }, { spread }, { seed, value }) => ({
    kind: 'bandit',
    tools: tools.map(({ name }) => name),
    spread,
    seed,
    value,
  }),
  difference: ({ tools: first }, { tools: second }) =>
    first.join() === second.join() ? undefined : { field: 'tools', first: first.join(', '), second: second.join(', ') },
  misfit: ({ tools }: FlowOutline, spec) => {
    const flow = tools.map(({ name }) => name).join(', ');
    return flow === spec.tools.join(', ') ? undefined : { field: 'tools', first: flow, second: spec.tools.join(', ') };
  },
  layout: ({ tools, value }) => [
    { name: 'logits', shape: [tools.length], offset: 0, size: tools.length },
    ...(value ? [{ name: 'value', shape: [1], offset: tools.length, size: 1 }] : []),
  ],
  initial(spec) {
    const draw = uniforms(spec.seed);
    const logits = spec.tools.map(() => spec.spread * (2 * draw() - 1));
    return { tensors: this.layout(spec), values: Float32Array.from([...logits, ...(spec.value ? [0] : [])]) };
  },
  actor: (spec) => ({ situations: () => new BanditSituations(spec.tools), policy: () => new Acting(spec) }),
  learner: (spec) => new Learner(spec),
};
