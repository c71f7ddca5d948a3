import type { ActorContext, Behaviour } from '../../src/actor/behaviour.ts';
import type { Consumer } from '../../src/bus/bus.ts';
import type { Lease } from '../../src/bus/lease.ts';
import { checkpointExists } from '../../src/checkpoint/load.ts';
import { MillraceError } from '../../src/errors.ts';
import type { RolloutRequest } from '../../src/gen/millrace/v1/training_pb.ts';
import type { WeightManifest } from '../../src/gen/millrace/v1/weights_pb.ts';
import { admit } from '../../src/jobs/admission.ts';
import { evaluationsDue } from '../../src/jobs/evaluation.ts';
import { judgementOf, rateText } from '../../src/jobs/judgement.ts';
import { FailedGroups } from '../../src/jobs/hopeless.ts';
import { acceptedOnResume, emptyLedger, open } from '../../src/jobs/ledger.ts';
import { nothingLearned } from '../../src/jobs/nothing-learned.ts';
import { markResumed, transition, type EvaluationRecord, type JobRecord } from '../../src/jobs/record.ts';
import type { HoldProgress } from '../../src/jobs/progress.ts';
import { requestFor, type RequestContext } from '../../src/jobs/requests.ts';
import { isEnded } from '../../src/jobs/state.ts';
import { progressText, type LoadProgress } from '../../src/tasks/progress.ts';
import type { NodeContext } from '../runtime/context.ts';
import type { JobEntry } from '../jobs/directory.ts';
import { JobEvents } from '../jobs/events.ts';
import { CODE_CHANGED, isCodeChange } from '../jobs/loadable.ts';
import { loadPatiently } from '../jobs/load-patiently.ts';
import { taskPlan, type TaskPlan } from '../jobs/tasks.ts';
import { encodeProgress, waitingSubject, type DispatchProgress } from '../../src/protocol/progress.ts';
import { checkpointPath } from '../parameter-server/checkpoints.ts';
import { refillDraws } from '../parameter-server/dynamic-sampling.ts';
import { DiskGate } from './disk-gate.ts';
import { settleQueues } from './ending.ts';
import { evaluationDurable, RunningEvaluations } from './evaluations.ts';
import { JobHold } from './job-hold.ts';
import type { JobMessage } from './job-message.ts';
import { RequestSender } from './request-sender.ts';
import { JobStreams } from './job-streams.ts';
import { UnstoredGroups, type CountStored } from './unstored-groups.ts';
import { retainBest } from './retention.ts';
import { StoreGate } from './store-gate.ts';
import { TaskChoice } from './task-choice.ts';

const LOOK_MS = 1_000;

/**
 * The actor of one job: admits training requests within the staleness bound, runs evaluations, and ends the job. It holds
 * nothing that is not in the job's record or in the weight manifest; after a crash another one goes on from there.
 */
export class JobActor implements Behaviour<JobMessage> {
  readonly #context: NodeContext;
  readonly #lease: Lease;
  readonly #events: JobEvents;
  readonly #requests: RequestContext;
  readonly #sender: RequestSender;
  readonly #evaluations: RunningEvaluations;
  #gate: StoreGate | undefined;
  #hold: JobHold | undefined;
  readonly #disk: DiskGate;
  #record: JobRecord;
  /** Revision of `#record`: changes are told late, and an older record must not replace what was written since. */
  #revision: number;
  readonly #streams: JobStreams;
  readonly #unstored: UnstoredGroups | undefined;
  #tasks!: TaskPlan;
  #choice!: TaskChoice;
  #manifest: WeightManifest | undefined;
  #consumer: Consumer | undefined;
  #stops: (() => void)[] = [];
  /** Requests that had not ended when this life of the actor began have been sent again. */
  #resent = false;
  /** That the job began, or that this lease's owner goes on with it, is noted. */
  #noted = false;
  readonly #failed: FailedGroups;

  /** @param countStored asks the store which groups it has; without it what was lost with a stream is not counted. */
  constructor(context: NodeContext, lease: Lease, { record, revision }: JobEntry, countStored?: CountStored) {
    this.#context = context;
    this.#lease = lease;
    this.#record = record;
    this.#revision = revision;
    this.#failed = new FailedGroups(record.id);
    this.#events = new JobEvents(context.bus, context.clock, context.id, record.id);
    this.#requests = { job: record.id, config: record.config, fence: lease.token };
    this.#disk = new DiskGate(context, record.id);
    this.#sender = new RequestSender(context, record.id, (backpressureMs) => this.#tell({ backpressureMs }));
    this.#evaluations = new RunningEvaluations(context, this.#requests, {
      attempt: this.#evaluationAttempt,
      sender: this.#sender,
    });
    this.#streams = new JobStreams(context, record.id, record.config);
    this.#unstored = countStored && new UnstoredGroups(record.id, countStored, context);
  }

  /** Another one for each lease, and after each loss of a stream. */
  get #evaluationAttempt(): number {
    return this.#lease.token + this.#record.attempt;
  }

  get #job(): string {
    return this.#record.id;
  }

  async start(actor: ActorContext<JobMessage>): Promise<void> {
    const { bus, clock, weights, jobs } = this.#context;
    const { config } = this.#record;
    // Between two lives nobody heard what was asked of the job.
    const newest = await jobs.fetch(this.#job);
    if (newest) this.#know(newest);
    if (isEnded(this.#record.state)) return;
    const tasks = await this.#loadTasks(actor);
    if (!tasks) return;
    // The job may have ended meanwhile: what is made from here on would be left behind.
    actor.signal.throwIfAborted();
    actor.waitingFor('');
    this.#tell({});
    this.#tasks = tasks;
    this.#choice = new TaskChoice(this.#context, config, tasks);
    await this.#streams.ensure();
    await this.#noteStart(tasks);
    // Whatever ended the last life of this actor may have ended it between two requests.
    this.#resent = false;
    this.#evaluations.forgetSent();
    await this.#lookAtStreams();
    this.#gate = new StoreGate(this.#context, this.#job, config.rollout.storeBacklog);
    const hold = new JobHold(this.#context, this.#job, this.#lease.token);
    this.#hold = hold;
    this.#stops = [() => this.#gate?.close(), () => hold.close(), () => this.#setHeld(false)];
    await this.#look();
    await hold.look(false);
    this.#consumer = await bus.consume(evaluationDurable(this.#job), (message) =>
      actor.self.send({ kind: 'evaluation', message }),
    );
    const tell = (message: JobMessage): void => void actor.self.tell(message);
    this.#stops.push(
      await weights.watch(
        this.#job,
        (manifest) => tell({ kind: 'manifest', manifest }),
        (error) => tell({ kind: 'unreadable', error }),
      ),
      jobs.onChange((entry) => entry.record.id === this.#job && tell({ kind: 'record', entry })),
      clock.every(LOOK_MS, () => tell({ kind: 'look' })),
    );
  }

  /** The job's tasks. What trying again cannot mend (the flow is gone, its data is wrong) ends the job. */
  async #loadTasks(actor: ActorContext<JobMessage>): Promise<TaskPlan | undefined> {
    const say = (waitingFor: string, progress: DispatchProgress): void => {
      actor.waitingFor(waitingFor);
      this.#tell(progress);
    };
    const onProgress = (progress: LoadProgress): void =>
      say(`its tasks to be loaded: ${progressText(progress)}`, { loading: progressText(progress) });
    const onWait = (hold?: HoldProgress): void =>
      say(hold ? `${hold.source} to answer again: ${hold.reason}` : 'the flow and its tasks to be loaded', { hold });
    onWait();
    try {
      const runtime = await this.#context.runtimes.get(this.#record);
      const patience = { signal: actor.signal, onWait };
      const tasks = (await loadPatiently(this.#context, this.#job, () => runtime.tasks(onProgress), patience))!;
      await this.#context.notices.resolve(this.#job, CODE_CHANGED);
      return await taskPlan(runtime, tasks);
    } catch (thrown) {
      const error = MillraceError.from(thrown);
      if (isCodeChange(error)) void this.#context.notices.report(this.#job, { code: CODE_CHANGED, message: error.message });
      if (error.retryable) throw error;
      await this.#end('FAILED', `the flow or its tasks cannot be loaded: ${error.message}`);
      return undefined;
    }
  }

  async #noteStart({ train, heldOut }: TaskPlan): Promise<void> {
    const { clock, id } = this.#context;
    if (this.#noted) return;
    if (this.#record.state === 'QUEUED') {
      await this.#events.note('started', 1, `training on ${train.length} tasks, ${heldOut.length} held out`);
      await this.#update((record) =>
        record.state === 'QUEUED' ? transition(record, 'RUNNING', { now: clock.now() }) : undefined,
      );
    } else if (this.#record.state === 'RUNNING') {
      await this.#events.note('taken-over', this.#lease.token, `node ${id} goes on with the job`);
      await this.#update((record) => (record.state === 'RUNNING' ? markResumed(record, clock.now()) : undefined));
    }
    this.#noted = true;
  }

  async receive(message: JobMessage, actor: ActorContext<JobMessage>): Promise<void> {
    if (message.kind === 'manifest') {
      if (!this.#manifest || message.manifest.version >= this.#manifest.version) this.#manifest = message.manifest;
    } else if (message.kind === 'unreadable') {
      if (!isEnded(this.#record.state)) await this.#end('FAILED', message.error.message);
      return;
    } else if (message.kind === 'record') {
      this.#know(message.entry);
    } else if (message.kind === 'evaluation') {
      await this.#evaluations.take(message.message);
    } else {
      await this.#look();
      await this.#lookAtStreams();
      await this.#countUnstored();
      await this.#hold?.look(this.#record.state === 'RUNNING' && !this.#record.cancelRequested);
      if (this.#hold?.takeLost()) {
        this.#resent = false;
        this.#evaluations.forgetSent();
      }
    }
    for (const result of this.#evaluations.finished()) {
      await this.#evaluated(result);
      this.#evaluations.forget(result);
    }
    await this.#advance(actor.signal);
    this.#tell({});
  }

  /** Whether requests have to wait, and says so in the metrics. The disk first: on a full one the bus may not answer. */
  async #look(): Promise<void> {
    await this.#disk.look();
    await this.#gate?.look();
    this.#setHeld(this.#isHeld());
  }

  #isHeld(): boolean {
    return this.#disk.full !== undefined || this.#gate?.behind !== undefined;
  }

  #setHeld(held: boolean): void {
    this.#context.metrics.set('admission_held', { job: this.#job }, Number(held));
  }

  /** Streams that were deleted took requests and groups with them: what is open by the books is asked for again. */
  async #lookAtStreams(): Promise<void> {
    const version = this.#manifest?.version ?? -1;
    await this.#streams.committed(version);
    if (isEnded(this.#record.state)) return;
    const loss = await this.#streams.look(this.#record);
    if (!loss) return;
    const { streams, recreated, requests, rows } = loss;
    await this.#updateOpen((record) => ({
      ...record,
      streams,
      ...(requests && { attempt: record.attempt + 1 }),
      ...(rows && { unstored: record.unstored ?? 0 }),
    }));
    if (requests) {
      this.#resent = false;
      this.#evaluations.sendAgain(this.#evaluationAttempt);
    }
    if (rows) this.#unstored?.lost();
    const left = open(this.#manifest?.ledger ?? emptyLedger(), this.#record.accepted).length;
    this.#streams.report(recreated, { version, open: left });
  }

  async #countUnstored(last = false): Promise<void> {
    const ledger = this.#manifest?.ledger;
    if (!ledger || !this.#unstored || this.#record.unstored === undefined) return;
    let unstored: number | undefined;
    try {
      unstored = await (last ? this.#unstored.last(ledger) : this.#unstored.look(ledger));
    } catch (thrown) {
      this.#context.log.warn({ err: MillraceError.from(thrown), job: this.#job }, 'unstored groups could not be counted');
    }
    if (unstored === undefined || unstored === this.#record.unstored) return;
    await this.#updateOpen((record) => ({ ...record, unstored }));
    const message = `${unstored} groups were used and their rows are not in the trajectory store: they were lost with a stream, and are not run again`;
    if (unstored > 0) void this.#context.notices.report(this.#job, { code: 'ROWS_UNSTORED', message, lasts: false });
  }

  #tell(more: DispatchProgress): void {
    const progress: DispatchProgress = {
      evaluation: this.#evaluations.current(),
      store: this.#gate?.behind,
      hold: this.#hold?.active,
      disk: this.#disk.full,
      ...more,
    };
    this.#context.bus.emit(waitingSubject(this.#job), encodeProgress(progress));
  }

  async stop(): Promise<void> {
    for (const stop of this.#stops) stop();
    this.#stops = [];
    await this.#consumer?.stop(1000);
    this.#consumer = undefined;
  }

  /** Does whatever can be done now. */
  async #advance(signal: AbortSignal): Promise<void> {
    if (isEnded(this.#record.state)) return;
    if (this.#record.cancelRequested) {
      await this.#end('CANCELLED');
      return;
    }
    const manifest = this.#manifest;
    if (!manifest || this.#record.state !== 'RUNNING') return;
    // Neither training requests nor those of evaluations: both end as groups that must be written.
    if (this.#isHeld()) return;
    // They would only be held as well.
    if (this.#hold?.active) return;
    await this.#startEvaluations(manifest);
    const isHeld = (request: string): boolean => this.#hold?.holdsRequest(request) ?? false;
    if (!(await this.#evaluations.send(signal, isHeld))) return;
    if (!this.#baselinesRun()) return;
    await this.#failIfHopeless(manifest);
    if (isEnded(this.#record.state)) return;
    await this.#dispatch(manifest, signal);
    if (manifest.version < this.#record.config.rounds || this.#evaluations.keys.length > 0) return;
    const why = nothingLearned(manifest);
    await (why === undefined ? this.#end('SUCCEEDED') : this.#end('FAILED', why));
  }

  async #startEvaluations(manifest: WeightManifest): Promise<void> {
    const { evaluation, rounds } = this.#record.config;
    const { version } = manifest;
    // Commits may be seen late, several at once: measure the last version that was due, whose weights are kept for it.
    const due = evaluation.every > 0 ? version - (version % evaluation.every) : 0;
    const done = new Set([
      ...this.#record.evaluations.map((record) => `${record.name}@${record.policyVersion}`),
      ...this.#evaluations.keys,
    ]);
    const schedule = { rounds, evaluation, hasRule: this.#tasks.hasRule, done };
    const plans = [due, ...(version >= rounds ? [version] : [])].flatMap((at) => evaluationsDue({ ...schedule, version: at }));
    for (const plan of plans) {
      if (this.#evaluations.keys.includes(plan.key)) continue;
      const { ledger, trainSeconds } = (await this.#manifestOf(plan.policyVersion, manifest)) ?? manifest;
      this.#evaluations.start(plan, this.#tasks.heldOut, {
        trajectories: Number(ledger?.trajectories ?? 0n),
        trainSeconds,
      });
    }
  }

  /** How far training was at a version, which need not be the newest one. */
  async #manifestOf(version: number, newest: WeightManifest): Promise<WeightManifest | undefined> {
    return version === newest.version ? newest : this.#context.weights.manifest(this.#job, version);
  }

  /** Baselines come first: they would take the machine from training, and the other way round. */
  #baselinesRun(): boolean {
    return !this.#evaluations.keys.some((key) => !key.startsWith('trained@'));
  }

  async #evaluated(result: EvaluationRecord): Promise<void> {
    const same = (other: EvaluationRecord): boolean => other.name === result.name && other.policyVersion === result.policyVersion;
    const checkpoint = checkpointPath(this.#context.stateDir, this.#job, result.policyVersion);
    // The disk may have been full.
    const written = result.name === 'trained' && (await this.#context.outside(checkpointExists(checkpoint)));
    // The row before the record: what the record holds is not measured again.
    await this.#events.evaluated(result);
    const { success, judged, notJudged, incomplete } = judgementOf(result);
    const labels = { job: this.#job, planner: result.name };
    if (judged > 0) this.#context.metrics.set('held_out_success', labels, success);
    this.#context.metrics.set('held_out_judged', labels, judged);
    this.#context.metrics.set('held_out_not_judged', labels, notJudged);
    if (incomplete) {
      const subject = `${result.name}@${result.policyVersion}`;
      void this.#context.notices.report(this.#job, {
        code: 'EVALUATION_INCOMPLETE',
        lasts: false,
        subject,
        message: `held-out success of ${subject}: ${rateText(result)}; it is not compared with other evaluations`,
      });
    }
    await this.#update((record) => ({
      ...record,
      evaluations: [...record.evaluations.filter((other) => !same(other)), result],
      ...(written && { checkpoint }),
    }));
    if (result.name !== 'trained') return;
    await retainBest(this.#context, this.#record).catch((error: unknown) => {
      this.#context.log.warn(
        { err: error, job: this.#job },
        'old checkpoints could not be deleted; tried again at the next evaluation',
      );
    });
  }

  async #dispatch(manifest: WeightManifest, signal: AbortSignal): Promise<void> {
    const ledger = manifest.ledger ?? emptyLedger();
    const { rollout, rounds, algorithm } = this.#record.config;
    const { maxStaleness, groupsPerRound } = rollout;
    const refill = refillDraws(algorithm) !== undefined;
    await this.#choice.follow(manifest);
    if (!this.#resent) {
      const accepted = acceptedOnResume(ledger, this.#record.accepted);
      if (accepted !== this.#record.accepted) await this.#updateOpen((record) => ({ ...record, accepted }));
      const left = open(ledger, accepted).filter((sequence) => this.#hold?.holdsSequence(sequence) !== true);
      this.#resent = await this.#sendAll(left, manifest.version, signal);
      if (!this.#resent) return;
    }
    const from = this.#record.accepted;
    const more = admit({ accepted: from, ledger, version: manifest.version, maxStaleness, groupsPerRound, rounds, refill });
    if (more === 0) return;
    // Written ahead: a request that was sent is always in the record, so that nobody sends it under another number.
    const fresh = Array.from({ length: more }, (_, i) => from + i);
    const tasks = this.#choice.choose(fresh, this.#record, manifest);
    await this.#updateOpen((record) => ({ ...record, accepted: from + more, ...(tasks && { tasks }) }));
    // What a pause left out is sent with all others that are open.
    this.#resent = await this.#sendAll(fresh, manifest.version, signal);
  }

  #sendAll(sequences: readonly number[], policyVersion: number, signal: AbortSignal): Promise<boolean> {
    return this.#sender.sendAll(sequences, (sequence) => this.#request(sequence, policyVersion), signal);
  }

  #request(sequence: number, policyVersion: number): RolloutRequest {
    return requestFor(
      this.#requests,
      {
        sequence,
        task: this.#choice.taskFor(sequence, this.#record),
        policyVersion,
        temperature: this.#choice.temperatureAt(policyVersion),
        ...(this.#choice.curriculum && { repeats: true }),
        now: this.#context.clock.now(),
        attempt: this.#record.attempt,
      },
      this.#tasks.train.length,
    );
  }

  async #failIfHopeless({ version, ledger }: WeightManifest): Promise<void> {
    const why = this.#failed.look(version, ledger ?? emptyLedger(), this.#record.config.rollout.groupsPerRound);
    if (why !== undefined) await this.#end('FAILED', why);
  }

  async #end(state: 'SUCCEEDED' | 'FAILED' | 'CANCELLED', error?: string): Promise<void> {
    const { clock } = this.#context;
    await this.#countUnstored(true);
    await this.#hold?.end();
    await this.#update((record) =>
      isEnded(record.state) ? undefined : transition(record, state, { now: clock.now(), ...(error && { error }) }),
    );
    await this.#consumer?.stop(1000);
    this.#consumer = undefined;
    await settleQueues(this.#context, this.#record);
  }

  /** Changes the record unless the job has ended: its books may be closed already, and what is accepted later is in no book. */
  async #updateOpen(change: (record: JobRecord) => JobRecord): Promise<void> {
    await this.#update((record) => (isEnded(record.state) ? undefined : change(record)));
  }

  async #update(change: (record: JobRecord) => JobRecord | undefined): Promise<void> {
    this.#know(await this.#context.jobs.update(this.#job, change));
  }

  #know({ record, revision }: JobEntry): void {
    if (revision < this.#revision) return;
    this.#record = record;
    this.#revision = revision;
  }
}
