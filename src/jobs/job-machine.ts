import type { Ledger } from '../gen/millrace/v1/training_pb.ts';
import type { WeightManifest } from '../gen/millrace/v1/weights_pb.ts';
import { admit } from './admission.ts';
import { groupsAffordable } from './budgets/status.ts';
import { evaluationsDue, finalEvaluations } from './evaluation/plans.ts';
import { roundsOf } from './early-stop.ts';
import { FailedGroups } from './failed-groups.ts';
import { acceptedOnResume, emptyLedger, hasEnded, open } from './ledger.ts';
import { nothingLearned } from './nothing-learned.ts';
import type { JobRecord } from './record.ts';
import type { EvaluationPlan } from './requests.ts';
import { refillDraws } from './round.ts';
import { isEnded } from './state.ts';

/** How a job ends. */
export interface JobEnd {
  state: 'SUCCEEDED' | 'FAILED' | 'CANCELLED';
  /** Why, when it failed. */
  error?: string;
}

/**
 * What a job's actor does next:
 *
 * - `wait`: nothing until the next event; `blocked`: there is something to send, and no room for it
 * - `end`: end the job
 * - `start-evaluations`: begin these, none of which is under way or finished
 * - `send-evaluations`: send some of their requests
 * - `raise-accepted`: write into the record how many requests were sent before a crash
 * - `send-open`: send requests that have not ended again; ids are deterministic, so that none is doubled
 * - `admit`: write these new requests into the record; they are sent next, as far as there is room
 * - `send`: send requests that were admitted and never sent
 * - `exhausted`: pause, since the budget of trajectories has no room for another group
 */
export type JobStep =
  | { kind: 'wait'; blocked?: boolean }
  | ({ kind: 'end' } & JobEnd)
  | { kind: 'start-evaluations'; plans: EvaluationPlan[] }
  | { kind: 'send-evaluations'; limit: number }
  | { kind: 'raise-accepted'; accepted: number }
  | { kind: 'send-open'; sequences: number[] }
  | { kind: 'exhausted' }
  | { kind: 'admit'; sequences: number[] }
  | { kind: 'send'; sequences: number[] };

/** What {@link JobMachine.next} decides by beside the machine's own state. */
export interface JobConditions {
  /** Requests must wait: for the disk, the store, or a service that does not answer. */
  held: boolean;
  /** Held-out tasks. */
  validationTasks: number;
  testTasks: number;
  /** Whether the flow has a rule planner. */
  hasRule: boolean;
  /** Keys of the evaluations under way, oldest first. */
  evaluations: readonly string[];
  /** Some of their requests have not been sent. */
  evaluationsUnsent: boolean;
  /** Requests that may be sent now. */
  room: number;
  /** Requests of evaluations that may be under way besides those that are. */
  evaluationRoom: number;
}

/** A record with its revision in the bucket. */
export interface RevisedRecord {
  record: JobRecord;
  revision: number;
}

const WAIT: JobStep = { kind: 'wait' };
const BLOCKED: JobStep = { kind: 'wait', blocked: true };

/**
 * One job from its first request to its end: events come in through the methods, {@link next} says what to do. Pure state,
 * nothing of it durable: another machine goes on from the record and the newest manifest.
 */
export class JobMachine {
  #record: JobRecord;
  /** Changes of the record arrive late: an older one must not replace what was written since. */
  #revision: number;
  #manifest: WeightManifest | undefined;
  /** Accepted requests that have not ended and were not sent in this life of the actor; undefined: not known. */
  #unsent: readonly number[] | undefined;
  /** Requests that this machine has admitted and that were never sent. */
  #admitted: readonly number[] = [];
  /** Where both can send and room is short, training and evaluations take turns. */
  #evaluatesNext = true;
  readonly #failed: FailedGroups;

  constructor({ record, revision }: RevisedRecord) {
    this.#record = record;
    this.#revision = revision;
    this.#failed = new FailedGroups(record.id);
  }

  /** The newest record known. */
  get record(): JobRecord {
    return this.#record;
  }

  get ended(): boolean {
    return isEnded(this.#record.state);
  }

  /** The newest version known. */
  get manifest(): WeightManifest | undefined {
    return this.#manifest;
  }

  get ledger(): Ledger {
    return this.#manifest?.ledger ?? emptyLedger();
  }

  /** The record was read, written or changed by another node. */
  recordChanged({ record, revision }: RevisedRecord): void {
    if (revision < this.#revision) return;
    this.#record = record;
    this.#revision = revision;
  }

  /** A version, or another ledger of it, was committed. */
  committed(manifest: WeightManifest): void {
    if (this.#manifest && manifest.version < this.#manifest.version) return;
    this.#manifest = manifest;
  }

  /** Requests may be lost: with a stream, or with an actor that ended between two of them. */
  requestsLost(): void {
    this.#unsent = undefined;
    this.#admitted = [];
  }

  /** The requests of `admit` are in the record; `alone`: and no others, of another actor that works for the job. */
  requestsAdmitted(sequences: readonly number[], alone: boolean): void {
    if (alone) this.#admitted = sequences;
    else this.requestsLost();
  }

  /** The requests of `send-open` or `send` were sent: all of them, or those before a pause or the end of the job. */
  requestsSent(sequences: readonly number[], all: boolean): void {
    this.#evaluatesNext = true;
    if (!all) return this.requestsLost();
    const sent = new Set(sequences);
    this.#unsent = (this.#unsent ?? []).filter((sequence) => !sent.has(sequence));
    this.#admitted = this.#admitted.filter((sequence) => !sent.has(sequence));
  }

  /** Requests of evaluations were sent. */
  evaluationsSent(): void {
    this.#evaluatesNext = false;
  }

  /** Decides what to do next. Asked again after every step but `wait`. */
  next(conditions: JobConditions): JobStep {
    const record = this.#record;
    const manifest = this.#manifest;
    if (isEnded(record.state)) return WAIT;
    if (record.cancelRequested) return { kind: 'end', state: 'CANCELLED' };
    // Held: neither training requests nor those of evaluations, both end as groups that must be written.
    if (!manifest || record.state !== 'RUNNING' || conditions.held) return WAIT;
    const plans = this.#plansDue(manifest, conditions);
    if (plans.length > 0) return { kind: 'start-evaluations', plans };
    const evaluations = conditions.evaluationsUnsent ? Math.min(conditions.room, conditions.evaluationRoom) : 0;
    // Baselines come first: they would take the machine from training, and the other way round.
    if (conditions.evaluations.some((key) => !key.startsWith('trained@')))
      return evaluations > 0 ? { kind: 'send-evaluations', limit: evaluations } : conditions.evaluationsUnsent ? BLOCKED : WAIT;
    const failure = this.#failed.check(manifest.version, this.ledger, record.config.rollout.groupsPerRound);
    if (failure !== undefined) return { kind: 'end', state: 'FAILED', error: failure };
    const training = this.#dispatch(manifest, conditions.room);
    if (evaluations > 0 && (this.#evaluatesNext || training === undefined || training.kind === 'wait'))
      return { kind: 'send-evaluations', limit: training === undefined ? evaluations : Math.ceil(evaluations / 2) };
    if (training !== undefined) return training;
    return conditions.evaluationsUnsent ? BLOCKED : this.#finish(manifest, conditions);
  }

  #plansDue({ version }: WeightManifest, { hasRule, evaluations, validationTasks: tasks }: JobConditions): EvaluationPlan[] {
    const { config, forked } = this.#record;
    const { evaluation } = config;
    const rounds = roundsOf(this.#record);
    // Commits may be seen late, several at once: measure the last version that was due, whose weights are kept for it.
    const due = evaluation.every > 0 ? version - (version % evaluation.every) : 0;
    const finished = this.#record.evaluations.map((record) => `${record.name}@${record.policyVersion}`);
    const schedule = { rounds, evaluation, hasRule, tasks, done: new Set([...finished, ...evaluations]) };
    const plans = new Map<string, EvaluationPlan>();
    for (const at of version >= rounds ? [due, version] : [due]) {
      // The weights of earlier versions are the other job's.
      if (at < (forked?.version ?? 0)) continue;
      for (const plan of evaluationsDue({ ...schedule, version: at })) plans.set(plan.key, plan);
    }
    return [...plans.values()];
  }

  #dispatch({ version }: WeightManifest, room: number): JobStep | undefined {
    const { ledger } = this;
    const { accepted, config } = this.#record;
    if (this.#unsent === undefined) {
      const raised = acceptedOnResume(ledger, accepted);
      if (raised !== accepted) return { kind: 'raise-accepted', accepted: raised };
      this.#unsent = open(ledger, accepted);
      if (this.#unsent.length === 0) return { kind: 'send-open', sequences: [] };
    }
    // Some may have ended in the meantime.
    this.#unsent = this.#unsent.filter((sequence) => !hasEnded(ledger, sequence));
    if (this.#unsent.length > 0) return room > 0 ? { kind: 'send-open', sequences: this.#unsent.slice(0, room) } : BLOCKED;
    if (this.#admitted.length > 0) return room > 0 ? { kind: 'send', sequences: this.#admitted.slice(0, room) } : BLOCKED;
    const { maxStaleness, groupsPerRound } = config.rollout;
    const refill = refillDraws(config.algorithm) !== undefined;
    const more = admit({ accepted, ledger, version, maxStaleness, groupsPerRound, rounds: roundsOf(this.#record), refill });
    if (more === 0) return undefined;
    const affordable = groupsAffordable(this.#record);
    if (affordable === 0) return { kind: 'exhausted' };
    if (room <= 0) return BLOCKED;
    // All that the bound allows at once, however little there is room for: each change of the record goes to every node.
    const length = Math.min(more, affordable);
    return { kind: 'admit', sequences: Array.from({ length }, (_, i) => accepted + i) };
  }

  #finish(manifest: WeightManifest, { evaluations, ...conditions }: JobConditions): JobStep {
    if (manifest.version < roundsOf(this.#record) || evaluations.length > 0) return WAIT;
    const error = nothingLearned(manifest);
    if (error !== undefined) return { kind: 'end', state: 'FAILED', error };
    const plans = finalEvaluations(this.#record, conditions);
    return plans.length > 0 ? { kind: 'start-evaluations', plans } : { kind: 'end', state: 'SUCCEEDED' };
  }
}
