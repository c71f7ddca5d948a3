import type { ActorContext, Behaviour } from '../../src/actor/behaviour.ts';
import type { Lease } from '../../src/protocol/lease.ts';
import type { JobConditions, JobEnd, JobStep } from '../../src/jobs/job-machine.ts';
import { isEnded } from '../../src/jobs/state.ts';
import type { DispatchProgress } from '../../src/protocol/progress.ts';
import type { JobEntry } from '../jobs/directory.ts';
import type { AnsweredRequest } from '../jobs/scored-group.ts';
import { heldOutText, type TaskPlan } from '../jobs/tasks.ts';
import type { NodeContext } from '../runtime/context.ts';
import { DONE, later } from '../runtime/outcome.ts';
import type { Worker } from '../runtime/worker.ts';
import type { BudgetBook } from './budget-book.ts';
import { recordEnd, settleQueues } from './ending.ts';
import { recordFinished, startEvaluations } from './job-evaluations.ts';
import { DispatchTeller } from './dispatch-teller.ts';
import { evaluationIntake } from './evaluation-intake.ts';
import { RunningEvaluations } from './evaluations.ts';
import { JobGates } from './job-gates.ts';
import { CoordinatedJob } from './coordinated-job.ts';
import { JobLosses } from './job-losses.ts';
import type { JobMessage } from './job-message.ts';
import { JobRequests } from './job-requests.ts';
import { loadJobTasks } from './job-tasks.ts';
import { RequestSender } from './request-sender.ts';
import type { DispatchLimits } from './scheduler/dispatch-limits.ts';
import type { PlaceList } from './scheduler/place-list.ts';
import type { SharedLooks } from './shared-looks.ts';
import type { CountStored } from './unstored-groups.ts';

const LOOK_MS = 1_000;
/** What another coordinator waits for is delivered again after this long. */
const NOT_OURS_MS = 250;

/** What a {@link JobActor} works for. */
export interface JobActorOptions {
  lease: Lease;
  entry: JobEntry;
  /** Which jobs have a place. */
  places: PlaceList;
  /** How many requests it may have under way. */
  limits: DispatchLimits;
  /** What all jobs of the node look at. */
  looks: SharedLooks;
  /** How far budgets are spent. */
  budgets: BudgetBook;
  /** Counts the groups that the store has. Default: what was lost with a stream is not counted. */
  countStored?: CountStored | undefined;
}

/**
 * The actor of one job: does what its `JobMachine` says, which is to admit training requests within the staleness bound, run
 * evaluations, and end the job. It holds nothing that is not in the job's record or in the weight manifest; after a crash
 * another one goes on from there.
 */
export class JobActor implements Behaviour<JobMessage> {
  readonly #job: CoordinatedJob;
  readonly #gates: JobGates;
  readonly #losses: JobLosses;
  readonly #sender: RequestSender;
  readonly #teller: DispatchTeller;
  readonly #limits: DispatchLimits;
  readonly #evaluations: RunningEvaluations;
  #tasks!: TaskPlan;
  #requests!: JobRequests;
  #intake: Worker<AnsweredRequest> | undefined;
  #stops: (() => void)[] = [];

  constructor(context: NodeContext, { lease, entry, places, limits, looks, budgets, countStored }: JobActorOptions) {
    const job = (this.#job = new CoordinatedJob(context, { lease, entry, places }));
    const { id, record } = job;
    this.#gates = new JobGates(job, { looks, budgets });
    this.#losses = new JobLosses(job, looks, countStored);
    this.#limits = limits;
    this.#teller = new DispatchTeller(context, id);
    this.#sender = new RequestSender(context, id, {
      onSent: () => limits.sent(id),
      onFull: (backpressureMs) => this.#reportProgress({ backpressureMs }),
    });
    this.#evaluations = new RunningEvaluations(
      context,
      { job: id, config: record.config, fence: lease.token },
      { attempt: record.taken, sender: this.#sender },
    );
  }

  async start(actor: ActorContext<JobMessage>): Promise<void> {
    const job = this.#job;
    await job.refresh();
    if (job.machine.ended) return;
    const tasks = await loadJobTasks(job, actor, (progress) => this.#reportProgress(progress));
    if ('failure' in tasks) {
      await this.#end({ state: 'FAILED', error: tasks.failure });
      return;
    }
    // The job may have ended meanwhile: what is made from here on would be left behind.
    actor.signal.throwIfAborted();
    actor.waitingFor('');
    this.#reportProgress();
    this.#tasks = tasks;
    this.#requests = new JobRequests(job, this.#sender, tasks);
    await this.#losses.ensureStreams();
    await this.#recordStart();
    // The error that ended the last life of this actor may have come between two requests.
    this.#sendAgain();
    await this.#lookAtStreams();
    this.#gates.open(() => this.#evaluations.attempt);
    this.#stops = [() => this.#gates.close()];
    await this.#gates.checkStorage();
    await this.#gates.checkServices(false);
    await this.#listen(actor);
  }

  async #listen(actor: ActorContext<JobMessage>): Promise<void> {
    const { id, context, machine } = this.#job;
    const { clock, weights, jobs } = context;
    this.#intake = await evaluationIntake(context, id, actor).start();
    const tell = (message: JobMessage): void => void actor.self.tell(message);
    this.#stops.push(
      await weights.watch(
        id,
        (manifest) => tell({ kind: 'manifest', manifest }),
        (error) => tell({ kind: 'unreadable', error }),
      ),
      jobs.onChange((entry) => entry.record.id === id && tell({ kind: 'record', entry })),
      clock.every(LOOK_MS, () => tell({ kind: 'look' })),
    );
    // The job may have been paused or resumed since its record was read: that change was before the handler.
    const known = jobs.get(id);
    if (known) machine.recordChanged(known);
  }

  async receive(message: JobMessage, actor: ActorContext<JobMessage>): Promise<void> {
    const { machine } = this.#job;
    switch (message.kind) {
      case 'unreadable':
        if (!machine.ended) await this.#end({ state: 'FAILED', error: message.error.message });
        return;
      case 'manifest':
        machine.committed(message.manifest);
        break;
      case 'record':
        machine.recordChanged(message.entry);
        break;
      case 'evaluation':
        await message.delivery.settle(this.#evaluations.add(message.scored) ? DONE : later(NOT_OURS_MS));
        break;
      case 'room':
        break;
      case 'placed':
        await this.#recordStart();
        break;
      case 'look':
        await this.#look();
    }
    await recordFinished(this.#job, this.#evaluations);
    await this.#advance(actor.signal);
    this.#reportProgress();
  }

  #recordStart(): Promise<void> {
    return this.#job.recordStart(`training on ${this.#tasks.train.length} tasks, ${heldOutText(this.#tasks)}`);
  }

  async #look(): Promise<void> {
    await this.#recordStart();
    await this.#gates.checkStorage();
    await this.#lookAtStreams();
    await this.#losses.countUnstored();
    await this.#gates.checkServices(true);
    if (this.#gates.requestsLost()) this.#sendAgain();
  }

  /** Streams that were deleted took requests and groups with them: what is open by the ledger is requested again. */
  async #lookAtStreams(): Promise<void> {
    const lost = await this.#losses.checkStreams();
    if (lost) this.#job.machine.requestsLost();
    // A coordinator that has lost the job, and did not know, may have drawn since: its results are for nobody now.
    if (lost || this.#job.record.taken > this.#evaluations.attempt) this.#evaluations.sendAgain(await this.#job.drawAttempt());
  }

  #sendAgain(): void {
    this.#job.machine.requestsLost();
    this.#evaluations.forgetSent();
  }

  /** Does all that can be done now. */
  async #advance(signal: AbortSignal): Promise<void> {
    const { held } = this.#gates;
    for (;;) {
      const step = this.#job.machine.next({
        held,
        hasRule: this.#tasks?.hasRule ?? false,
        validationTasks: this.#tasks?.validation.length ?? 0,
        testTasks: this.#tasks?.test.length ?? 0,
        ...sendable(this.#evaluations, this.#limits, this.#job.id),
      });
      if (step.kind === 'wait') this.#limits.blocked(this.#job.id, step.blocked ?? false);
      if (step.kind === 'wait' || !(await this.#do(step, signal))) return;
    }
  }

  /** Returns whether the step was completed: a pause or the end of the job may come between. */
  async #do(step: Exclude<JobStep, { kind: 'wait' }>, signal: AbortSignal): Promise<boolean> {
    const { machine } = this.#job;
    switch (step.kind) {
      case 'end':
        await this.#end(step);
        return false;
      case 'start-evaluations':
        await startEvaluations(this.#job, this.#evaluations, { plans: step.plans, tasks: this.#tasks });
        return true;
      case 'send-evaluations':
        machine.evaluationsSent();
        return this.#evaluations.send(step.limit, signal, (request) => this.#gates.holdsRequest(request));
      case 'raise-accepted':
        await this.#job.updateRunning((record) => ({ ...record, accepted: Math.max(record.accepted, step.accepted) }));
        return true;
      case 'exhausted':
        return this.#gates.outOfTrajectories();
      case 'admit':
        return this.#requests.admit(step.sequences);
      case 'send-open':
        return this.#requests.sendOpen(step.sequences, this.#gates, signal);
      case 'send':
        return this.#requests.send(step.sequences, signal);
    }
  }

  async #end(end: JobEnd): Promise<void> {
    await this.#losses.countUnstored(true);
    await this.#gates.end();
    await recordEnd(this.#job, end);
    if (!isEnded(this.#job.record.state)) return;
    await this.#stopIntake();
    await settleQueues(this.#job.context, this.#job.record);
  }

  async stop(): Promise<void> {
    this.#limits.forget(this.#job.id);
    for (const stop of this.#stops) stop();
    this.#stops = [];
    await this.#stopIntake();
  }

  async #stopIntake(): Promise<void> {
    await this.#intake?.stop(1000);
    this.#intake = undefined;
  }

  #reportProgress(more: DispatchProgress = {}): void {
    const progress: DispatchProgress = { evaluation: this.#evaluations.current(), ...this.#gates.progress(), ...more };
    this.#teller.tell(progress);
  }
}

/** What there is to send of evaluations, and room for what. */
function sendable(
  { keys, unsent, underWay }: RunningEvaluations,
  limits: DispatchLimits,
  job: string,
): Pick<JobConditions, 'evaluations' | 'evaluationsUnsent' | 'room' | 'evaluationRoom'> {
  return {
    evaluations: keys,
    evaluationsUnsent: unsent,
    room: limits.roomOf(job),
    evaluationRoom: limits.evaluations - underWay,
  };
}
