import { fromBinary } from '@bufbuild/protobuf';
import { ScoredGroupSchema, type RolloutRequest } from '../../src/gen/millrace/v1/training_pb.ts';
import type { WeightManifest } from '../../src/gen/millrace/v1/weights_pb.ts';
import { requestFor } from '../../src/jobs/requests.ts';
import { SCORED } from '../../src/protocol/names.ts';
import { scoredSubject } from '../../src/protocol/subjects.ts';
import type { TaskPlan } from '../jobs/tasks.ts';
import type { JobGates } from './job-gates.ts';
import type { CoordinatedJob } from './coordinated-job.ts';
import type { RequestSender } from './request-sender.ts';
import { TaskChoice } from './task-choice.ts';

/** Sends a job's training requests. */
export class JobRequests {
  readonly #job: CoordinatedJob;
  readonly #sender: RequestSender;
  readonly #tasks: TaskPlan;
  readonly #choice: TaskChoice;

  constructor(job: CoordinatedJob, sender: RequestSender, tasks: TaskPlan) {
    this.#job = job;
    this.#sender = sender;
    this.#tasks = tasks;
    this.#choice = new TaskChoice(job.context, job.record.config, tasks);
  }

  /**
   * Sends requests that have not ended again, but those that `gates` holds, and those whose scored group waits for its round: a second
   * group may come out otherwise, and its rows would replace those of the group that is trained on. Returns whether all were sent.
   */
  async sendOpen(sequences: readonly number[], gates: JobGates, signal: AbortSignal): Promise<boolean> {
    const { version } = await this.#followed();
    const scored = await this.#scored();
    const left = sequences.filter((sequence) => !gates.holdsSequence(sequence) && !scored.has(sequence));
    const all = await this.#send(left, version, signal);
    this.#job.machine.requestsSent(sequences, all);
    return all;
  }

  /** Sequences of scored groups that nobody is done with. */
  async #scored(): Promise<ReadonlySet<number>> {
    const { context, id } = this.#job;
    const sequences = new Set<number>();
    for await (const { data } of context.bus.read(SCORED, scoredSubject(id, 'train'))) {
      const sequence = sequenceOf(data);
      if (sequence !== undefined) sequences.add(sequence);
    }
    return sequences;
  }

  /**
   * Accepts new requests. Written ahead: a request that is sent is always in the record, so that nobody sends it under another number.
   * Returns whether these are the last ones in the record: a pause may come first, and while bucket `leases` is gone two coordinators may
   * work for the job: what the other one has accepted it need not have sent.
   */
  async admit(sequences: readonly number[]): Promise<boolean> {
    const manifest = await this.#followed();
    const accepted = sequences.at(-1)! + 1;
    const tasks = this.#choice.choose(sequences, this.#job.record, manifest);
    await this.#job.updateRunning((record) => ({
      ...record,
      accepted: Math.max(record.accepted, accepted),
      ...(tasks && { tasks }),
    }));
    const alone = this.#job.record.accepted === accepted;
    this.#job.machine.requestsAdmitted(sequences, alone);
    return alone;
  }

  /** Sends requests that were accepted and never sent. Returns whether all were sent: a pause leaves some out. */
  async send(sequences: readonly number[], signal: AbortSignal): Promise<boolean> {
    const { version } = await this.#followed();
    const all = await this.#send(sequences, version, signal);
    this.#job.machine.requestsSent(sequences, all);
    return all;
  }

  /** The newest version, once the choice of tasks knows what it knows. */
  async #followed(): Promise<WeightManifest> {
    const manifest = this.#job.machine.manifest!;
    await this.#choice.follow(manifest);
    return manifest;
  }

  #send(sequences: readonly number[], policyVersion: number, signal: AbortSignal): Promise<boolean> {
    return this.#sender.sendAll(sequences, (sequence) => this.#request(sequence, policyVersion), signal);
  }

  #request(sequence: number, policyVersion: number): RolloutRequest {
    const { id, record, lease, context } = this.#job;
    return requestFor(
      { job: id, config: record.config, fence: lease.token },
      {
        sequence,
        task: this.#choice.taskFor(sequence, record),
        policyVersion,
        temperature: this.#choice.temperatureAt(policyVersion),
        ...(this.#choice.curriculum && { repeats: true }),
        now: context.clock.now(),
        attempt: record.attempt,
      },
      this.#tasks.train.length,
    );
  }
}

/** Of a scored group; undefined when it is none: its trainer refuses it. */
function sequenceOf(data: Uint8Array): number | undefined {
  try {
    const { request } = fromBinary(ScoredGroupSchema, data);
    return request && Number(request.sequence);
  } catch {
    return undefined;
  }
}
