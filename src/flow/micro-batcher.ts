import type { Clock } from '../clock/clock.ts';
import { nextTurn } from '../clock/turn.ts';
import { encodeObservation } from '../policy/codec.ts';
import type { ObservationBatch, Policy } from '../policy/policy.ts';
import { renumberTexts, type ExperienceTable } from './experience.ts';
import type { PolicyLease } from './policies.ts';

/** One decision that a flow waits for. */
export interface PolicyCall {
  table: ExperienceTable;
  /** Index of the observation in the table. */
  observation: number;
  lease: PolicyLease;
  /** > 0. */
  temperature: number;
}

/** Options of {@link MicroBatcher}. */
export interface MicroBatcherOptions {
  /** Needed for `maxDelayMs` > 0. */
  clock: Clock;
  /**
   * How long a call may wait for other flows to join, while some of them are in their tools. 0: never longer than one turn of
   * the event loop. Default 0.
   */
  maxDelayMs?: number;
  /** Distinct observations in one evaluation of the policy; between two the event loop runs. Default 512. */
  maxBatch?: number;
}

/** What the batcher did so far. */
export interface MicroBatcherStats {
  /** Decisions asked for. */
  calls: number;
  /** Observations that the policy computed: the others were equal to one of their group's. */
  evaluated: number;
  batches: number;
}

interface Pending extends PolicyCall {
  resolve: (logProbabilities: Float32Array) => void;
  reject: (error: unknown) => void;
  key: string;
}

/**
 * Gathers the decisions that all flows of a process are waiting for and evaluates them together: one call of the policy per
 * version and temperature. Equal observations of a group are computed once and remembered for the group's life.
 */
export class MicroBatcher {
  readonly #clock: Clock;
  readonly #maxDelayMs: number;
  readonly #maxBatch: number;
  readonly #stats: MicroBatcherStats = { calls: 0, evaluated: 0, batches: 0 };
  /** Results by group, then by version, temperature and observation. */
  readonly #known = new WeakMap<ExperienceTable, Map<string, Float32Array>>();
  #pending: Pending[] = [];
  #flows = 0;
  #running = false;
  #wake: AbortController | undefined;

  constructor(options: MicroBatcherOptions) {
    this.#clock = options.clock;
    this.#maxDelayMs = options.maxDelayMs ?? 0;
    this.#maxBatch = options.maxBatch ?? 512;
  }

  get stats(): Readonly<MicroBatcherStats> {
    return this.#stats;
  }

  /** Decisions waiting right now. */
  get waiting(): number {
    return this.#pending.length;
  }

  /** Says that a flow starts that will ask for decisions; returns the function to call when it has ended. */
  join(): () => void {
    this.#flows += 1;
    return () => {
      this.#flows -= 1;
      this.#flushIfAllWait();
    };
  }

  /** log-probabilities of the observation's open actions; the array is shared, do not write to it. */
  logProbabilities(call: PolicyCall): Promise<Float32Array> {
    this.#stats.calls += 1;
    const key = `${call.lease.version}/${call.temperature}/${call.observation}`;
    const known = this.#known.get(call.table)?.get(key);
    if (known !== undefined) return Promise.resolve(known);
    return new Promise((resolve, reject) => {
      this.#pending.push({ ...call, key, resolve, reject });
      this.#flushIfAllWait();
      if (!this.#running) void this.#run();
    });
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
    const distinct = new Map<ExperienceTable, Map<string, Pending[]>>();
    const later: Pending[] = [];
    let size = 0;
    for (const call of this.#pending) {
      const fits = call.lease.policy === first.lease.policy && call.lease.version === first.lease.version;
      let ofTable = distinct.get(call.table);
      const same = ofTable?.get(call.key);
      if (!fits || call.temperature !== first.temperature || (same === undefined && size >= this.#maxBatch)) {
        later.push(call);
        continue;
      }
      if (same !== undefined) {
        same.push(call);
        continue;
      }
      if (ofTable === undefined) distinct.set(call.table, (ofTable = new Map<string, Pending[]>()));
      ofTable.set(call.key, [call]);
      size += 1;
    }
    this.#pending = later;
    this.#answer(first.lease.policy, first.temperature, distinct);
  }

  #answer(policy: Policy, temperature: number, distinct: Map<ExperienceTable, Map<string, Pending[]>>): void {
    const groups = [...distinct.values()].flatMap((ofTable) => [...ofTable.values()]);
    try {
      const results = policy.logProbabilities(batchOf(groups.map((calls) => calls[0]!)), temperature);
      this.#stats.batches += 1;
      this.#stats.evaluated += groups.length;
      groups.forEach((calls, i) => {
        const { table, key } = calls[0]!;
        let known = this.#known.get(table);
        if (known === undefined) this.#known.set(table, (known = new Map<string, Float32Array>()));
        known.set(key, results[i]!);
        for (const call of calls) call.resolve(results[i]!);
      });
    } catch (error) {
      for (const calls of groups) for (const call of calls) call.reject(error);
    }
  }
}

/** Observations of several groups as one batch: only the texts they refer to, each once. */
function batchOf(calls: readonly PolicyCall[]): ObservationBatch {
  const texts: Int32Array[] = [];
  const index = new Map<Int32Array, number>();
  const observations = calls.map(({ table, observation }) =>
    encodeObservation(
      renumberTexts(table.observations[observation]!, (text) => {
        const tokens = table.texts[text]!;
        let known = index.get(tokens);
        if (known === undefined) {
          known = texts.push(tokens) - 1;
          index.set(tokens, known);
        }
        return known;
      }),
      table.spec,
    ),
  );
  return { texts, observations };
}
