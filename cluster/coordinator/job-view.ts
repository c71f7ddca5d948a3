import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { MillraceError } from '../../src/errors.ts';
import { JobSchema, JobState, type Job, type JobProgress } from '../../src/gen/millrace/v1/admin_pb.ts';
import type { WeightManifest } from '../../src/gen/millrace/v1/weights_pb.ts';
import type { BudgetUse } from '../../src/jobs/budgets/status.ts';
import { toProtoEvaluation } from '../../src/jobs/evaluation/proto.ts';
import { emptyLedger, endedCount } from '../../src/jobs/ledger.ts';
import { roundsOf } from '../../src/jobs/early-stop.ts';
import { etaSeconds, quietSeconds, RateWindow, waitingFor } from '../../src/jobs/progress.ts';
import type { JobNotice } from '../../src/jobs/notice.ts';
import type { JobRecord } from '../../src/jobs/record.ts';
import { storedConfig } from '../../src/jobs/record-codec.ts';
import { isEnded, toProtoState } from '../../src/jobs/state.ts';
import { decodeUpdateRow } from '../../src/records/encode.ts';
import type { NodeContext } from '../runtime/context.ts';
import type { BudgetBook } from './budget-book.ts';
import { bestCheckpointView } from './checkpoint-views.ts';
import { fullDiskText } from '../infra/disk-room.ts';
import type { UnreadableJob } from '../jobs/directory.ts';
import { watchJobNotices, type NoticeList } from '../jobs/notice-list.ts';
import type { NodeList } from '../runtime/nodes.ts';
import { JobReports } from './job-reports.ts';
import { QueueView } from './scheduler/queue-view.ts';

/** A job whose manifests are followed. */
interface Followed {
  manifest?: WeightManifest | undefined;
  /** Why the newest manifest cannot be read. */
  unreadable?: string | undefined;
  rates: RateWindow;
  stops: (() => void)[];
  ready: Promise<void>;
}

/** Puts together what is known of a job: its record, its newest manifest, and what its trainer tells. Any coordinator can. */
export class JobViews {
  readonly #context: NodeContext;
  readonly #nodes: NodeList;
  readonly #budgets: BudgetBook;
  readonly #followed = new Map<string, Followed>();
  readonly #handlers = new Set<(job: string) => void>();
  readonly #notices: NoticeList;
  readonly #reports: JobReports;
  readonly #queue: QueueView;
  readonly #stopChanges: () => void;

  constructor(context: NodeContext, nodes: NodeList, budgets: BudgetBook) {
    this.#budgets = budgets;
    this.#context = context;
    this.#nodes = nodes;
    this.#queue = new QueueView(context);
    this.#notices = watchJobNotices(context, (job) => this.#changed(job));
    this.#reports = new JobReports(context, (job) => this.#changed(job));
    this.#stopChanges = context.jobs.onChange(({ record }) => {
      const followed = this.#followed.get(record.id);
      if (followed && record.state !== 'RUNNING') this.#unfollow(record.id, followed);
      this.#changed(record.id);
    });
  }

  /** Calls back whenever the view of a job may have changed. Returns a function that stops it. */
  onChange(handler: (job: string) => void): () => void {
    this.#handlers.add(handler);
    return () => this.#handlers.delete(handler);
  }

  async view(record: JobRecord): Promise<Job> {
    const followed = await this.#known(record);
    await this.#notices.ready;
    const queued = await this.#queue.of(record);
    const { manifest } = followed;
    const ledger = manifest?.ledger ?? emptyLedger();
    const version = manifest?.version ?? 0;
    const running = record.state === 'RUNNING';
    const quiet = running ? quietSeconds(this.#context.clock.monotonic() - this.#reports.of(record.id).movedAt) : 0;
    const rates = running && quiet === 0 ? followed.rates.rates() : { trajectoriesPerSecond: 0, roundsPerSecond: 0 };
    const rounds = roundsOf(record);
    return create(JobSchema, {
      id: record.id,
      state: toProtoState(record.state),
      configJson: JSON.stringify(storedConfig(record.config)),
      ...timesOf(record),
      error: record.error ?? '',
      progress: {
        round: version,
        roundsTotal: rounds,
        ...lastRound(manifest),
        trajectoriesPerSecond: rates.trajectoriesPerSecond,
        requests: BigInt(Math.max(record.accepted, endedCount(ledger))),
        ledger: { ...ledger, unstored: BigInt(record.unstored ?? 0) },
        etaSeconds: isEnded(record.state) ? 0 : etaSeconds(version, rounds, rates.roundsPerSecond),
        trainSeconds: manifest?.trainSeconds ?? 0,
        quietSeconds: quiet,
      },
      waitingFor: queued
        ? `its turn: place ${queued.position} in the queue; ${queued.reason}`
        : this.#waiting(record, followed, quiet),
      queuePosition: queued?.position ?? 0,
      queueReason: queued?.reason ?? '',
      evaluations: record.evaluations.map(toProtoEvaluation),
      checkpoint: record.checkpoint ?? '',
      from: record.from ?? '',
      bestCheckpoint: bestCheckpointView(record),
      forkedFrom: record.forked ? `${record.forked.job}@${record.forked.version}` : '',
      agent: record.agent ?? '',
      evaluates: record.evaluates ? `${record.evaluates.job}@${record.evaluates.version}` : '',
      owner: record.owner,
      priority: record.priority,
      codeDigest: record.code ?? '',
      notices: this.#notices.of(record.id).map(toProtoNotice),
      unreadable: followed.unreadable ?? '',
      ...budgetFields(record, await this.#budgets.uses(record)),
    });
  }

  /** A job of which nothing is known but that its record cannot be read. */
  unreadable({ id, problem }: UnreadableJob): Job {
    return create(JobSchema, {
      id,
      state: JobState.UNREADABLE,
      error: problem,
      notices: this.#notices.of(id).map(toProtoNotice),
    });
  }

  close(): void {
    this.#stopChanges();
    this.#queue.close();
    this.#notices.close();
    this.#reports.close();
    this.#handlers.clear();
    for (const [job, followed] of this.#followed) this.#unfollow(job, followed);
  }

  /** What is known besides the record. Only jobs that run are followed: the others, which may be many, are read. */
  async #known(record: JobRecord): Promise<Pick<Followed, 'manifest' | 'unreadable' | 'rates'>> {
    if (record.state !== 'RUNNING') {
      // What was followed may lag behind the record that says so. What never ran has committed nothing.
      const known: Pick<Followed, 'manifest' | 'unreadable'> =
        record.startedAt === undefined ? {} : await this.#newest(record.id);
      return { rates: new RateWindow(), ...known };
    }
    const followed = this.#follow(record.id);
    await followed.ready;
    return followed;
  }

  /** The newest manifest, or why it cannot be read: what is wrong with one job must not hide the others. */
  async #newest(job: string): Promise<Pick<Followed, 'manifest' | 'unreadable'>> {
    try {
      return { manifest: (await this.#context.weights.latest(job))?.manifest };
    } catch (thrown) {
      const error = MillraceError.from(thrown);
      if (error.retryable) throw error;
      return { unreadable: error.message };
    }
  }

  #follow(job: string): Followed {
    let followed = this.#followed.get(job);
    if (!followed) {
      followed = { rates: new RateWindow(), stops: [], ready: Promise.resolve() };
      const started = followed;
      followed.ready = this.#start(job, started).catch((error: unknown) => {
        // Asked again at the next look.
        this.#unfollow(job, started);
        throw error;
      });
      this.#followed.set(job, followed);
    }
    return followed;
  }

  async #start(job: string, followed: Followed): Promise<void> {
    const { weights, clock } = this.#context;
    const take = (manifest: WeightManifest): void => {
      this.#reports.moved(job);
      followed.manifest = manifest;
      followed.unreadable = undefined;
      const trajectories = Number(manifest.ledger?.trajectories ?? 0n);
      followed.rates.add({ at: clock.monotonic(), rounds: manifest.version, trajectories });
      this.#changed(job);
    };
    const { manifest, unreadable } = await this.#newest(job);
    if (manifest) take(manifest);
    const hide = (reason: string): void => {
      followed.unreadable = reason;
      this.#changed(job);
    };
    if (unreadable !== undefined) hide(unreadable);
    followed.stops.push(await weights.watch(job, take, ({ message }) => hide(message)));
    // It was paused or has ended meanwhile, or had when it was looked at.
    if (this.#context.jobs.get(job)?.record.state !== 'RUNNING') this.#unfollow(job, followed);
  }

  #unfollow(job: string, followed: Followed): void {
    for (const stop of followed.stops.splice(0)) stop();
    if (this.#followed.get(job) === followed) this.#followed.delete(job);
  }

  readonly #changed = (job: string): void => this.#handlers.forEach((handler) => handler(job));

  #waiting(record: JobRecord, { manifest }: Pick<Followed, 'manifest'>, quiet: number): string {
    const { progress: told, dispatch } = this.#reports.of(record.id);
    const progress = told?.();
    const ledger = manifest?.ledger ?? emptyLedger();
    const count = (role: Parameters<NodeList['withRole']>[0]): number => this.#nodes.withRole(role).length;
    return waitingFor({
      state: record.state,
      round: manifest?.version ?? 0,
      groups: progress?.groups ?? { received: 0, needed: record.config.rollout.groupsPerRound },
      open: Math.max(0, record.accepted - endedCount(ledger)),
      nodes: {
        rollout: count('rollout'),
        reward: count('reward'),
        learner: count('learner'),
        parameterServer: count('parameter-server'),
        store: count('store'),
      },
      ...(progress?.shards && progress.round === manifest?.version && { shards: progress.shards }),
      ...(progress?.publishing && progress.round === manifest?.version && { publishing: true }),
      ...(dispatch?.loading !== undefined && { loading: dispatch.loading }),
      ...(dispatch?.evaluation && { evaluation: dispatch.evaluation }),
      ...(dispatch?.backpressureMs !== undefined && { backpressureMs: dispatch.backpressureMs }),
      ...(dispatch?.store && { store: dispatch.store }),
      ...(dispatch?.hold && { hold: { ...dispatch.hold, now: this.#context.clock.now() } }),
      ...(dispatch?.disk && { disk: fullDiskText(dispatch.disk) }),
      ...(record.pause && { pause: record.pause }),
      quietSeconds: quiet,
      failures: failuresOf(this.#nodes),
      ...(record.cancelRequested && { cancelRequested: true }),
      ...(progress?.problem !== undefined && { problem: progress.problem }),
    });
  }
}

/** The last failures of actors, none of those that have succeeded since. */
function failuresOf(nodes: NodeList): { actor: string; error: string }[] {
  const failures: { actor: string; error: string }[] = [];
  // Every view of a job asks, and hundreds of jobs have several actors each: nothing is made for those that did not fail.
  for (const { actors } of nodes.list())
    for (const { address, lastError = '' } of actors) if (lastError !== '') failures.push({ actor: address, error: lastError });
  return failures;
}

/** Figures of the newest committed round, read from its manifest, which outlives the trainer. */
function lastRound(manifest: WeightManifest | undefined): Pick<JobProgress, 'reward' | 'staleness' | 'statistics'> | undefined {
  const row = manifest && decodeUpdateRow(manifest.updateRow);
  if (!row) return undefined;
  const { reward_mean: reward, staleness_mean: staleness, loss, entropy, kl } = row;
  const statistics = { loss, entropy, kl, clipFraction: row.clip_fraction, gradientNorm: row.gradient_norm };
  return { reward, staleness, statistics };
}

function timesOf({ createdAt, startedAt, endedAt }: JobRecord) {
  return {
    createTime: timestampFromMs(createdAt),
    ...(startedAt !== undefined && { startTime: timestampFromMs(startedAt) }),
    ...(endedAt !== undefined && { endTime: timestampFromMs(endedAt) }),
  };
}

function budgetFields({ pause }: JobRecord, uses: readonly BudgetUse[]) {
  return { pauseReason: pause?.reason ?? '', budgets: uses.map(toProtoUse) };
}

function toProtoUse({ of, unit, spent, limit, exhausted }: BudgetUse) {
  return { of, unit: UNITS[unit], spent: BigInt(spent), limit: BigInt(limit), exhausted };
}

/** What the amounts of a budget are counted in. */
const UNITS: Readonly<Record<BudgetUse['unit'], string>> = {
  dollars: 'micro_dollars',
  tokens: 'tokens',
  trajectories: 'trajectories',
  wall_time: 'milliseconds',
};

function toProtoNotice({ code, subject, message, node, count, firstAt, lastAt, resolvedAt, lasts }: JobNotice) {
  return {
    code,
    subject,
    message,
    node,
    count: BigInt(count),
    firstTime: timestampFromMs(firstAt),
    lastTime: timestampFromMs(lastAt),
    momentary: !lasts,
    ...(resolvedAt !== undefined && { resolveTime: timestampFromMs(resolvedAt) }),
  };
}
