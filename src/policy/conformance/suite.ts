import { beforeAll, describe, expect, it } from 'vitest';
import { trainedTokens } from '../../algo/columns/experience.ts';
import { DEFAULT_ALGORITHM, type AlgorithmConfig } from '../../algo/config.ts';
import { algorithmSchema } from '../../algo/registry.ts';
import { systemClock } from '../../clock/system.ts';
import { seededRandom } from '../../random/seeded.ts';
import { decodeExperience } from '../experience.ts';
import { generated } from '../decision.ts';
import type {
  ActingPolicy,
  GenerationOf,
  PolicyActor,
  PolicyKind,
  PolicyLearner,
  PolicySpec,
  RecordedDecision,
  SituationTable,
  Turn,
} from '../kind.ts';
import { computeGradients, evaluateInSlices } from '../learner/gradient.ts';
import type { FlowOutline, Plan } from '../plan.ts';
import { parameterCount, type GradientSum, type LearnerGroup } from '../policy.ts';

/** What {@link policyKindConformance} tries a kind on. */
export interface PolicyKindExample {
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  kind: PolicyKind<any, any, any>;
  /** Settings of a small policy. Default: the kind's defaults. */
  settings?: unknown;
  flow: FlowOutline;
  /** At least three situations that the policy can tell apart, at a flow's first step, one of them with several open actions. */
  plans: readonly Plan[];
  /** Awaited first, for example to set up tensorflow.js. Default: nothing. */
  prepare?: () => Promise<unknown>;
}

const TEMPERATURE = 0.8;
/** Wide bounds: at the edge of a clip there is no slope to compare with. */
const WIDE: AlgorithmConfig = { ...DEFAULT_ALGORITHM, clipLow: 0.9, clipHigh: 9, entropy: 0.3 };
const WITH_CRITIC: AlgorithmConfig = algorithmSchema.parse({ name: 'ppo', entropy: 0.1, clipLow: 0.9, clipHigh: 9 });

/** What every policy kind must do. */
export function policyKindConformance(name: string, example: PolicyKindExample): void {
  describe(`${name} is a policy kind`, () => {
    let bench: Bench;
    beforeAll(async () => {
      await example.prepare?.();
      bench = new Bench(example, await settingsOf(example));
      await example.kind.load?.(bench.spec());
    }, 30_000);
    describeSpecification(() => bench);
    describeActing(() => bench);
    describeLearning(() => bench);
  });
}

async function settingsOf({ kind, settings = {} }: PolicyKindExample): Promise<unknown> {
  const parsed: unknown = kind.settings.parse(settings);
  return kind.resolve ? kind.resolve(parsed) : parsed;
}

/** One kind with a specification, weights that differ from the initial ones, and groups to learn from. */
class Bench {
  readonly kind;
  readonly plans;
  readonly flow;
  readonly #settings: unknown;

  constructor({ kind, flow, plans }: PolicyKindExample, settings: unknown) {
    this.kind = kind;
    this.flow = flow;
    this.plans = plans;
    this.#settings = settings;
  }

  spec(value = false): PolicySpec {
    return this.kind.specification(this.flow, this.#settings, { seed: 5, value }) as PolicySpec;
  }

  weights(spec: PolicySpec): Float32Array {
    const random = seededRandom(9);
    const { values } = this.kind.initial(spec) as { values: Float32Array };
    return values.map((value) => value + random.uniform() - 0.5);
  }

  actor(spec: PolicySpec): PolicyActor {
    return this.kind.actor(spec, this.flow) as PolicyActor;
  }

  learner(spec: PolicySpec, values: Float32Array = this.weights(spec)): PolicyLearner {
    const learner = this.kind.learner(spec) as PolicyLearner;
    learner.load(values);
    return learner;
  }

  get generates(): boolean {
    return this.kind.decides === 'generated';
  }

  /** A policy with these weights, and a table for its situations. */
  acting(spec: PolicySpec): { actor: PolicyActor; table: SituationTable; policy: ActingPolicy } {
    const actor = this.actor(spec);
    const policy = actor.policy();
    policy.load(this.weights(spec));
    return { actor, table: actor.situations(), policy };
  }

  /** Trajectories of a policy with these weights, one in the order of the others or step by step in turn. */
  async played(spec: PolicySpec, seed: number, interleaved = false): Promise<Played> {
    const { actor, table, policy } = this.acting(spec);
    const steps = Array.from({ length: 4 }, (_, m) => m).flatMap((m) =>
      [0, 1, 2].slice(0, 1 + ((m + seed) % 3)).map((t) => [m, t]),
    );
    if (interleaved) steps.sort(([m1, t1], [m2, t2]) => t1! - t2! || m2! - m1!);
    const members: RecordedDecision[][] = Array.from({ length: 4 }, () => []);
    const before: Turn[] = [];
    for (const [m, t] of steps) {
      const plan = this.plans[(m! * 2 + t! + seed) % this.plans.length]!;
      const random = seededRandom(seed).fork(`${m}/${t}`);
      const situation = table.add(plan, before[m!]);
      if (!this.generates) {
        const [logs] = policy.logProbabilities!([{ table, situation }], TEMPERATURE);
        const action = random.integer(plan.actions.length);
        members[m!]!.push({ situation, action, logProbability: logs![action]! });
        continue;
      }
      const request = { table, situation, temperature: TEMPERATURE, seed: random.integer(2 ** 32) };
      const [generation] = await policy.generate!([request]);
      members[m!]!.push({ situation, ...generation! });
      const decision = generated(generation!, actor.read!(generation!.tokens));
      before[m!] = { situation, decision, result: `result ${t}`, error: false };
    }
    policy.dispose();
    return { table, members };
  }

  async group(spec: PolicySpec, seed: number): Promise<LearnerGroup> {
    const { table, members } = await this.played(spec, seed);
    const experience = decodeExperience(table.encode(members, TEMPERATURE));
    const valid = members.map(() => true);
    const { tokens } = trainedTokens(experience, valid);
    const random = seededRandom(seed);
    const near = (at: number): number[] => tokens.map(() => at + random.uniform() / 4);
    return {
      experience,
      advantages: members.map(() => 2 * random.uniform() - 1),
      valid,
      values: near(0.2),
      valueTargets: near(0.5),
      proximal: tokens.map((token) => experience.logProbabilities[token]! + (random.uniform() - 0.5) / 5),
    };
  }
}

/** What the members of a group did. */
interface Played {
  table: SituationTable;
  members: RecordedDecision[][];
}

function describeSpecification(bench: () => Bench): void {
  it('has a specification that survives JSON and suits its flow', () => {
    const { kind, flow } = bench();
    const spec = bench().spec();
    const copy = JSON.parse(JSON.stringify(spec)) as PolicySpec;
    expect(spec.kind).toBe(kind.name);
    expect(copy).toEqual(spec);
    expect(kind.difference(spec, copy)).toBeUndefined();
    expect(kind.misfit(flow, copy)).toBeUndefined();
    const [first, ...others] = flow.tools;
    const renamed = { ...flow, tools: [{ ...first!, name: `${first!.name}-else` }, ...others] };
    expect(kind.misfit(renamed, spec)).toMatchObject({ field: expect.any(String) as string });
  });

  it.each([false, true])('lays its parameters side by side, and draws the same ones again (critic: %s)', (value) => {
    const { kind } = bench();
    const spec = bench().spec(value);
    const layout = kind.layout(spec) as ReturnType<typeof kind.layout>;
    let next = 0;
    for (const { name, shape, offset, size } of layout) {
      expect([offset, size], name).toEqual([next, shape.reduce((product, dimension) => product * dimension, 1)]);
      next += size;
    }
    expect(new Set(layout.map(({ name }) => name)).size).toBe(layout.length);
    const { tensors, values } = kind.initial(spec) as { tensors: unknown; values: Float32Array };
    expect(tensors).toEqual(layout);
    expect(values).toHaveLength(parameterCount(layout));
    expect((kind.initial(JSON.parse(JSON.stringify(spec))) as { values: Float32Array }).values).toEqual(values);
  });
}

function describeActing(bench: () => Bench): void {
  it('answers the same, whatever else is in the batch', async () => {
    const { plans, generates } = bench();
    const { actor, policy } = bench().acting(bench().spec());
    const [one, two] = [actor.situations(), actor.situations()];
    const situations = [...plans.map((plan) => ({ table: one, plan })), ...plans.map((plan) => ({ table: two, plan }))].map(
      ({ table, plan }) => ({ table, situation: table.add(plan) }),
    );
    if (generates) await expectGenerations(actor, policy, situations);
    else expectDistributions(plans, policy, situations);
    policy.dispose();
  });

  it('knows equal plans as one situation, and other plans as others', () => {
    const { plans } = bench();
    const table = bench().actor(bench().spec()).situations();
    const first = plans.map((plan) => table.add(plan));
    expect(plans.map((plan) => table.add(structuredClone(plan)))).toEqual(first);
    expect(new Set(first).size).toBe(plans.length);
  });

  it('refuses weights of another length', () => {
    const spec = bench().spec();
    const policy = bench().actor(spec).policy();
    const wrong = new Float32Array(bench().weights(spec).length + 1);
    expect(() => policy.load(wrong)).toThrow(/parameters/);
    expect(() => bench().learner(spec, wrong)).toThrow(/parameters/);
    policy.dispose();
  });

  it('writes the same experience, however the steps of members interleaved', async () => {
    const spec = bench().spec();
    const encoded: Buffer[] = [];
    for (const interleaved of [false, true]) {
      const { table, members } = await bench().played(spec, 3, interleaved);
      encoded.push(Buffer.from(table.encode(members, TEMPERATURE)));
    }
    expect(encoded[0]!.equals(encoded[1]!)).toBe(true);
    const experience = decodeExperience(encoded[0]!);
    expect(experience.kind).toBe(spec.kind);
    expect(experience.temperature).toBeCloseTo(TEMPERATURE, 6);
  });
}

type Situations = readonly { table: SituationTable; situation: number }[];

/** Distributions over the open actions of each plan, the plans twice. */
function expectDistributions(plans: readonly Plan[], policy: ActingPolicy, situations: Situations): void {
  const together = policy.logProbabilities!(situations, TEMPERATURE);
  situations.forEach((situation, i) => {
    const logs = together[i]!;
    expect(logs).toHaveLength(plans[i % plans.length]!.actions.length);
    expect(logs.reduce((sum, log) => sum + Math.exp(log), 0)).toBeCloseTo(1, 5);
    policy.logProbabilities!([situation], TEMPERATURE)[0]!.forEach((log, a) => expect(log).toBeCloseTo(logs[a]!, 5));
  });
}

/** Tokens that follow from the seed, with the log-probabilities that scoring gives them, and that can be read. */
async function expectGenerations(actor: PolicyActor, policy: ActingPolicy, situations: Situations): Promise<void> {
  for (const temperature of [TEMPERATURE, 0]) {
    const requests: GenerationOf[] = situations.map((situation, i) => ({ ...situation, temperature, seed: 7 * i + 1 }));
    const together = await policy.generate!(requests);
    const scored = await policy.score!(
      situations.map((situation, i) => ({
        ...situation,
        tokens: together[i]!.tokens,
        temperature: temperature || 1,
      })),
    );
    for (const [i, { tokens, logProbabilities, finish }] of together.entries()) {
      expect(tokens.length).toBeGreaterThan(0);
      expect(logProbabilities).toHaveLength(tokens.length);
      expect(['stop', 'length']).toContain(finish);
      expect(typeof actor.read!(tokens).text).toBe('string');
      expect(situations[i]!.table.prompt!(situations[i]!.situation).every(Number.isInteger)).toBe(true);
      scored[i]!.forEach((log, t) => expect(log).toBeCloseTo(logProbabilities[t]!, 4));
      const [alone] = await policy.generate!([{ ...requests[i]!, ...(temperature === 0 && { seed: 99 }) }]);
      expect(alone!.tokens).toEqual(tokens);
    }
  }
}

function describeLearning(bench: () => Bench): void {
  const groups = async (spec: PolicySpec): Promise<LearnerGroup[]> => {
    const made: LearnerGroup[] = [];
    for (let i = 0; i < 4; i++) made.push(await bench().group(spec, i));
    return made;
  };
  const largest = ({ gradient }: GradientSum): number => gradient.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

  it('learns from what was acted: both sides give the same log-probabilities', async () => {
    const spec = bench().spec();
    const learner = bench().learner(spec);
    const batch = await groups(spec);
    const { logProbs } = await evaluateInSlices(learner, batch, { clock: systemClock, maxDecisions: 3 });
    const acted = batch.flatMap(({ experience, valid }) =>
      trainedTokens(experience, valid).tokens.map((token) => experience.logProbabilities[token]!),
    );
    expect(logProbs).toHaveLength(acted.length);
    acted.forEach((log, i) => expect(logProbs[i]).toBeCloseTo(log, 4));
    learner.dispose();
  });

  it('refuses experience in another format', async () => {
    const spec = bench().spec();
    const learner = bench().learner(spec);
    const { experience } = await bench().group(spec, 1);
    const other = { ...experience, codec: `${experience.codec}-else` };
    expect(() => learner.open(other, 'group')).toThrow(expect.objectContaining({ code: 'failed_precondition' }));
    learner.dispose();
  });

  it.each([
    ['without a critic', WIDE],
    ['with a critic', WITH_CRITIC],
  ] as const)('has gradients that agree with finite differences, %s', async (_, algorithm) => {
    const { kind } = bench();
    const spec = bench().spec(algorithm.name === 'ppo');
    const values = bench().weights(spec);
    const learner = bench().learner(spec, values);
    const batch = await groups(spec);
    const { gradient } = computeGradients(learner, batch, algorithm);
    const lossAt = (moved: Float32Array): number => {
      learner.load(moved);
      return computeGradients(learner, batch, algorithm).statistics['loss']!;
    };
    for (const { name, offset, size } of kind.layout(spec) as ReturnType<typeof kind.layout>) {
      const own = gradient.subarray(offset, offset + size);
      const length = Math.hypot(...own);
      if (length < 1e-4) continue;
      const step = 0.003;
      const moved = (sign: number): Float32Array => {
        const result = values.slice();
        own.forEach((value, i) => (result[offset + i]! += (sign * step * value) / length));
        return result;
      };
      const slope = (lossAt(moved(1)) - lossAt(moved(-1))) / (2 * step);
      expect(Math.abs(slope - length), `${name}: slope ${slope}, gradient ${length}`).toBeLessThan(0.02 * length + 2e-3);
    }
    expect(gradient.some((value) => value !== 0)).toBe(true);
    learner.dispose();
  });

  it('gives the same sums from any split, and the same bits again', async () => {
    const spec = bench().spec();
    const learner = bench().learner(spec);
    const batch = await groups(spec);
    const whole = computeGradients(learner, batch, WIDE);
    expect(computeGradients(learner, batch, WIDE).gradient).toEqual(whole.gradient);
    const parts = [batch.slice(0, 1), batch.slice(1)].map((part) => computeGradients(learner, part, WIDE, { maxDecisions: 2 }));
    const differences = whole.gradient.map((value, i) =>
      Math.abs(parts.reduce((total, { gradient }) => total + gradient[i]!, 0) - value),
    );
    expect(largest({ ...whole, gradient: differences })).toBeLessThan(1e-5 * largest(whole));
    expect(parts.reduce((total, { weight }) => total + weight, 0)).toBeCloseTo(whole.weight, 9);
    learner.dispose();
  });
}
