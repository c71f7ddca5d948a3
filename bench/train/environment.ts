import type { JobRuntime } from '../../cluster/jobs/runtime.ts';
import { taskPlan, type TaskPlan } from '../../cluster/jobs/tasks.ts';
import { systemClock } from '../../src/clock/system.ts';
import { MillraceError } from '../../src/errors.ts';
import { flowOutline, flowShape } from '../../src/flow/plan.ts';
import type { Planner } from '../../src/flow/planner.ts';
import { runFlow } from '../../src/flow/run.ts';
import { choice } from '../../src/policy/decision.ts';
import { encodeObservation } from '../../src/policy/planner/codec.ts';
import { Flattener, type FlatBatch } from '../../src/policy/planner/flatten.ts';
import { PlanEncoder } from '../../src/policy/planner/plan-encoder.ts';
import { PlannerSituations } from '../../src/policy/planner/situations.ts';
import { seededRandom } from '../../src/random/seeded.ts';
import { judge } from '../../src/reward/judge.ts';
import { parseTask } from '../../src/flow/check-task.ts';
import { plannerSpec } from './planner.ts';

const REWARD_TIMEOUT_MS = 10_000;

/** Which flows to start. */
export interface RoundRequest {
  purpose: 'train' | 'evaluate';
  /** Flows of each task. */
  groupSize: number;
  /** train: positions in the job's sequence of requests; evaluate: indices of held-out tasks. One group each. */
  tasks: readonly number[];
}

/** Where all flows of a round stand: every one that goes on waits for an action. */
export interface Standing {
  /** Flows that go on, by number in the round (group after group), ascending. */
  flows: Int32Array;
  /** For each of them: the row of what it sees, among all distinct observations of its round. */
  rows: Int32Array;
  /** Flows that have ended since the last answer. */
  ended: { flow: number; reward: number; success: boolean }[];
  /** Observations that are new in this round, in the order of their rows: the first one's row is how many there were. */
  fresh: NumberedBatch;
}

/** A flat batch whose texts are numbered over the round; 0 is the empty text. */
export interface NumberedBatch {
  flat: FlatBatch;
  /** Text of each item and of each observation. */
  itemText: Int32Array;
  observationText: Int32Array;
  /** Texts met for the first time in the round; numbers go on from the last one. */
  newTexts: Int32Array[];
}

/** What to learn from: the distinct observations of some flows. */
export interface Learnable {
  batch: NumberedBatch;
  /** Decisions of each flow asked for. */
  lengths: Int32Array;
  /** For each decision, flow after flow: the observation's index in the batch. */
  observations: Int32Array;
}

/** The flows of one task. They share what they see, as in `runGroup`. */
interface Group {
  table: PlannerSituations;
  /** Encoded distinct observations, with their rows. */
  seen: Map<string, { row: number; bytes: Uint8Array }>;
}

interface Flow {
  group: Group;
  /** Rows of its decisions so far. */
  rows: number[];
  act: ((action: number) => void) | undefined;
}

/**
 * Runs the flows of a round in lock-step for a trainer in another process: the real flow with the real runtime
 * (src/flow/run.ts), whose planner is whoever calls {@link step}. Equal observations of a group are told once.
 */
export class LockStepEnvironment {
  readonly plan: TaskPlan;
  readonly #runtime: JobRuntime;
  readonly #context: unknown;
  readonly #encoder: PlanEncoder;
  readonly #flattener: Flattener;
  #flows: Flow[] = [];
  /** Flows that have neither ended nor wait for an action. */
  #busy = 0;
  #ended: Standing['ended'] = [];
  #rowCount = 0;
  #fresh: { group: Group; bytes: Uint8Array }[] = [];
  #texts = new Map<string, number>();
  #failure: Error | undefined;
  #settled: (() => void) | undefined;

  private constructor(runtime: JobRuntime, plan: TaskPlan, context: unknown) {
    this.#runtime = runtime;
    this.plan = plan;
    this.#context = context;
    const spec = plannerSpec(runtime);
    this.#encoder = new PlanEncoder(flowOutline(runtime.flow), spec);
    this.#flattener = new Flattener(spec);
  }

  /** Loads the job's tasks and splits them as the cluster does. */
  static async open(runtime: JobRuntime): Promise<LockStepEnvironment> {
    const loaded = await runtime.tasks();
    return new LockStepEnvironment(runtime, await taskPlan(runtime, loaded), loaded.context);
  }

  /** Starts the flows of a round; `failed_precondition` while those of the last one go on. */
  async reset({ purpose, groupSize, tasks }: RoundRequest): Promise<Standing> {
    if (this.#flows.some((flow) => flow.act !== undefined))
      throw new MillraceError('failed_precondition', 'the flows of the last round have not all ended: step until they have');
    this.#rowCount = 0;
    this.#texts = new Map([['', 0]]);
    this.#fresh = [];
    this.#flows = [];
    const { flow } = this.#runtime;
    for (const number of tasks) {
      const request = purpose === 'train' ? this.plan.taskFor(number) : this.plan.validation[number];
      if (request === undefined)
        throw new MillraceError('invalid_argument', `there is no held-out task ${number} of ${this.plan.validation.length}`);
      const parsed = parseTask(flow, request.json);
      if ('problem' in parsed) throw new MillraceError('invalid_argument', `task ${request.id}: ${parsed.problem}`);
      const group: Group = { table: new PlannerSituations(this.#encoder), seen: new Map() };
      for (let member = 0; member < groupSize; member++) this.#start(parsed.task, group);
    }
    return this.#standing();
  }

  /** Gives each flow that waits its action, in the order of `Standing.flows`. */
  async step(actions: ArrayLike<number>): Promise<Standing> {
    const waiting = this.#flows.filter((flow) => flow.act !== undefined);
    if (actions.length !== waiting.length)
      throw new MillraceError('invalid_argument', `${waiting.length} flows wait for an action, got ${actions.length}`);
    this.#busy += waiting.length;
    waiting.forEach((flow, index) => {
      const { act } = flow;
      flow.act = undefined;
      act!(actions[index]!);
    });
    return this.#standing();
  }

  /** Everything that these flows of the round decided on, as one batch. */
  learnable(flows: ArrayLike<number>): Learnable {
    const chosen = Array.from(flows, (number) => {
      const flow = this.#flows[number];
      if (flow === undefined)
        throw new MillraceError('invalid_argument', `the round has ${this.#flows.length} flows, none is ${number}`);
      return flow;
    });
    const index = new Map<number, number>();
    const needed: { group: Group; bytes: Uint8Array }[] = [];
    for (const group of new Set(chosen.map((flow) => flow.group))) {
      const used = new Set(chosen.flatMap((flow) => (flow.group === group ? flow.rows : [])));
      for (const { row, bytes } of group.seen.values()) {
        if (used.has(row)) index.set(row, needed.push({ group, bytes }) - 1);
      }
    }
    return {
      batch: this.#flatten(needed),
      lengths: Int32Array.from(chosen, ({ rows }) => rows.length),
      observations: Int32Array.from(chosen.flatMap(({ rows }) => rows.map((row) => index.get(row)!))),
    };
  }

  #start(task: unknown, group: Group): void {
    const flow: Flow = { group, rows: [], act: undefined };
    const number = this.#flows.push(flow) - 1;
    this.#busy += 1;
    this.#run(task, flow, number).catch((thrown: unknown) => {
      this.#failure ??= MillraceError.from(thrown);
      this.#settle();
    });
  }

  async #run(task: unknown, flow: Flow, number: number): Promise<void> {
    const planner: Planner = {
      choose: ({ plan }) => {
        flow.rows.push(this.#rowOf(flow.group, plan));
        return new Promise((resolve) => {
          flow.act = (action) => resolve({ decision: choice(action), logProbability: 0, entropy: 0 });
          this.#settle();
        });
      },
    };
    const definition = this.#runtime.flow;
    const run = await runFlow({
      flow: definition,
      task,
      context: this.#context,
      planner,
      // The planner decides without it.
      random: seededRandom(0),
      clock: systemClock,
      shape: flowShape(definition),
    });
    // A trainer beside the cluster has no second try: a benchmark in which flows fail measures something else.
    if (run.failure !== undefined) throw new MillraceError('aborted', `flow ${number}: ${run.failure.message}`);
    const judgement = await judge(
      definition,
      { task, answerJson: run.answerJson, context: this.#context },
      {
        clock: systemClock,
        timeoutMs: REWARD_TIMEOUT_MS,
      },
    );
    if ('failure' in judgement) throw new MillraceError('aborted', `flow ${number}: ${judgement.message}`);
    this.#ended.push({ flow: number, reward: judgement.outcome, success: judgement.success });
    this.#settle();
  }

  #rowOf(group: Group, plan: Parameters<PlanEncoder['encode']>[0]): number {
    const bytes = encodeObservation(this.#encoder.encode(plan, group.table), this.#encoder.spec);
    const key = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
    let seen = group.seen.get(key);
    if (seen === undefined) {
      seen = { row: this.#rowCount++, bytes };
      group.seen.set(key, seen);
      this.#fresh.push({ group, bytes });
    }
    return seen.row;
  }

  #settle(): void {
    this.#busy -= 1;
    if (this.#busy <= 0 || this.#failure !== undefined) this.#settled?.();
  }

  async #standing(): Promise<Standing> {
    if (this.#busy > 0 && this.#failure === undefined) await new Promise<void>((resolve) => (this.#settled = resolve));
    this.#settled = undefined;
    if (this.#failure !== undefined) throw this.#failure;
    const waiting = this.#flows.map((_, number) => number).filter((number) => this.#flows[number]!.act !== undefined);
    const ended = this.#ended.sort((a, b) => a.flow - b.flow);
    const fresh = this.#fresh;
    this.#ended = [];
    this.#fresh = [];
    return {
      flows: Int32Array.from(waiting),
      rows: Int32Array.from(waiting, (number) => this.#flows[number]!.rows.at(-1)!),
      ended,
      fresh: this.#flatten(fresh),
    };
  }

  /** In the given order, one observation of the batch each: they are distinct within their groups. */
  #flatten(observations: readonly { group: Group; bytes: Uint8Array }[]): NumberedBatch {
    const batches: { group: Group; observations: Uint8Array[] }[] = [];
    for (const { group, bytes } of observations) {
      const last = batches.at(-1);
      if (last?.group === group) last.observations.push(bytes);
      else batches.push({ group, observations: [bytes] });
    }
    const flat = this.#flattener.flatten(batches.map(({ group, observations }) => ({ texts: group.table.texts, observations })));
    const newTexts: Int32Array[] = [];
    const numbers = flat.textKeys.map((key, index) => {
      let number = this.#texts.get(key);
      if (number === undefined) {
        number = this.#texts.size;
        this.#texts.set(key, number);
        newTexts.push(flat.texts[index]!);
      }
      return number;
    });
    return {
      flat,
      itemText: flat.itemText.map((text) => numbers[text]!),
      observationText: flat.observationText.map((text) => numbers[text]!),
      newTexts,
    };
  }
}
