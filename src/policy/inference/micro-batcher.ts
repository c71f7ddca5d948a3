import type { Clock } from '../../clock/clock.ts';
import { nextTurn } from '../../clock/turn.ts';
import type { Generation } from '../decision.ts';
import type { ActingPolicy, SituationTable } from '../kind.ts';
import { Gathered } from './gathered.ts';
import {
  cannot,
  capabilitiesOf,
  type Capability,
  type DecideRequest,
  type GenerateRequest,
  type Inference,
  type InferenceWeights,
  type ScoreRequest,
} from './inference.ts';

/** Options of {@link MicroBatcher}. */
export interface MicroBatcherOptions {
  /** Needed for `maxDelayMs` > 0. */
  clock: Clock;
  /**
   * How long a call may wait for other flows to join, while some of them are in their tools. 0: never longer than one turn of
   * the event loop. Default 0.
   */
  maxDelayMs?: number;
  /** Distinct situations, or generations, in one evaluation of the policy; between two the event loop runs. Default 512. */
  maxBatch?: number;
}

/** What the batcher did so far. */
export interface MicroBatcherStats {
  /** Decisions asked for: choices and generations. */
  calls: number;
  /** Situations that the policy computed: the others were equal to one of their group's. */
  evaluated: number;
  batches: number;
}

/** What a policy version says of a group's situations at one temperature. */
interface Answers {
  table: SituationTable;
  version: number;
  temperature: number;
  /** By situation. */
  known: Map<number, Float32Array>;
}

interface Pending {
  situation: number;
  answers: Answers;
  /** Of the flow that asks: while it waits, the policy has these weights. */
  lease: InferenceWeights;
  resolve: (logProbabilities: Float32Array) => void;
  reject: (error: unknown) => void;
}

type Distinct = Map<Answers, Map<number, Pending[]>>;

/**
 * Inference in this process. Gathers what all flows of a process are waiting for and evaluates it together: one call of the policy per
 * version and temperature. Equal situations of a group in which a policy chooses are computed once and remembered for the group's life.
 */
export class MicroBatcher implements Inference {
  readonly #clock: Clock;
  readonly #maxDelayMs: number;
  readonly #maxBatch: number;
  readonly #stats: MicroBatcherStats = { calls: 0, evaluated: 0, batches: 0 };
  /** By group; one entry for each version and temperature in use. */
  readonly #answers = new WeakMap<SituationTable, Answers[]>();
  readonly #generations: Gathered<GenerateRequest, Generation>;
  readonly #scorings: Gathered<ScoreRequest, readonly number[]>;
  #pending: Pending[] = [];
  #flows = 0;
  #running = false;
  #wake: AbortController | undefined;

  constructor(options: MicroBatcherOptions) {
    this.#clock = options.clock;
    this.#maxDelayMs = options.maxDelayMs ?? 0;
    this.#maxBatch = options.maxBatch ?? 512;
    this.#generations = new Gathered(this.#maxBatch, async (policy, requests) => {
      const generations = await policy.generate!(requests);
      this.#stats.batches += 1;
      this.#stats.evaluated += generations.length;
      return generations;
    });
    this.#scorings = new Gathered<ScoreRequest, readonly number[]>(this.#maxBatch, (policy, requests) => policy.score!(requests));
  }

  get stats(): Readonly<MicroBatcherStats> {
    return this.#stats;
  }

  /** Requests waiting right now. */
  get waiting(): number {
    return this.#pending.length + this.#generations.waiting + this.#scorings.waiting;
  }

  can({ policy }: InferenceWeights): ReadonlySet<Capability> {
    return capabilitiesOf(policy);
  }

  /** Says that a flow starts that will ask for decisions; returns the function to call when it has ended. */
  join(): () => void {
    this.#flows += 1;
    return () => {
      this.#flows -= 1;
      this.#flushIfAllWait();
    };
  }

  decide(call: DecideRequest): Promise<Float32Array> {
    const { situation, lease } = call;
    if (lease.policy.logProbabilities === undefined) return refused('decide', lease);
    this.#stats.calls += 1;
    const answers = this.#answersFor(call);
    const known = answers.known.get(situation);
    if (known !== undefined) return Promise.resolve(known);
    return new Promise((resolve, reject) => {
      this.#pending.push({ situation, answers, lease, resolve, reject });
      this.#flushIfAllWait();
      if (!this.#running) void this.#run();
    });
  }

  generate(call: GenerateRequest): Promise<Generation> {
    if (call.lease.policy.generate === undefined) return refused('generate', call.lease);
    this.#stats.calls += 1;
    return this.#generations.ask(call);
  }

  score(call: ScoreRequest): Promise<readonly number[]> {
    return call.lease.policy.score === undefined ? refused('score', call.lease) : this.#scorings.ask(call);
  }

  #answersFor({ table, lease, temperature }: DecideRequest): Answers {
    let all = this.#answers.get(table);
    if (all === undefined) this.#answers.set(table, (all = []));
    for (const answers of all) if (answers.version === lease.version && answers.temperature === temperature) return answers;
    const answers = { table, version: lease.version, temperature, known: new Map<number, Float32Array>() };
    all.push(answers);
    return answers;
  }

  #flushIfAllWait(): void {
    if (this.#pending.length >= this.#flows || this.#pending.length >= this.#maxBatch) this.#wake?.abort();
  }

  async #run(): Promise<void> {
    this.#running = true;
    try {
      while (this.#pending.length > 0) {
        // Every flow that can go on without the policy does so in this turn and joins.
        await nextTurn();
        await this.#gather();
        this.#evaluateOne();
      }
    } finally {
      this.#running = false;
    }
  }

  /** Waits for the flows that are in their tools, within the allowed delay. */
  async #gather(): Promise<void> {
    if (this.#maxDelayMs <= 0 || this.#pending.length >= Math.min(this.#flows, this.#maxBatch)) return;
    this.#wake = new AbortController();
    await this.#clock.sleep(this.#maxDelayMs, this.#wake.signal).catch(() => undefined);
    this.#wake = undefined;
  }

  /** Takes the calls of one version and temperature, oldest first, up to the batch limit, and answers them. */
  #evaluateOne(): void {
    const first = this.#pending[0];
    if (first === undefined) return;
    const { policy, version } = first.lease;
    const { temperature } = first.answers;
    const distinct: Distinct = new Map();
    const later: Pending[] = [];
    let size = 0;
    for (const call of this.#pending) {
      const { answers, situation, lease } = call;
      const fits = lease.policy === policy && lease.version === version && answers.temperature === temperature;
      let ofGroup = distinct.get(answers);
      const same = ofGroup?.get(situation);
      if (!fits || (same === undefined && size >= this.#maxBatch)) {
        later.push(call);
        continue;
      }
      if (same !== undefined) {
        same.push(call);
        continue;
      }
      if (ofGroup === undefined) distinct.set(answers, (ofGroup = new Map<number, Pending[]>()));
      ofGroup.set(situation, [call]);
      size += 1;
    }
    this.#pending = later;
    this.#answer(policy, temperature, distinct);
  }

  #answer(policy: ActingPolicy, temperature: number, distinct: Distinct): void {
    const calls = [...distinct.values()].flatMap((ofGroup) => [...ofGroup.values()]);
    try {
      const results = policy.logProbabilities!(
        calls.map((same) => ({ table: same[0]!.answers.table, situation: same[0]!.situation })),
        temperature,
      );
      this.#stats.batches += 1;
      this.#stats.evaluated += calls.length;
      calls.forEach((same, i) => {
        const { answers, situation } = same[0]!;
        answers.known.set(situation, results[i]!);
        for (const call of same) call.resolve(results[i]!);
      });
    } catch (error) {
      for (const same of calls) for (const call of same) call.reject(error);
    }
  }
}

function refused(capability: Capability, { version }: InferenceWeights): Promise<never> {
  return Promise.reject(cannot(capability, `policy version ${version}`));
}
