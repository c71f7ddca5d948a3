import { GROUPS, HELD, PARTS, ROLLOUTS, SCORED } from '../../src/protocol/names.ts';
import { evaluationDurable, trainerDurable, WORK_DURABLES, WRITER_SCORED, type Durable } from '../../src/protocol/durables.ts';
import type { StreamName } from '../../src/protocol/names.ts';
import { MillraceError } from '../../src/errors.ts';
import type { Lease } from '../../src/protocol/lease.ts';
import type { JobRecord } from '../../src/jobs/record.ts';
import { ensureWriterDurables } from '../../src/protocol/writer-durables.ts';
import type { SharedLooks } from './shared-looks.ts';
import type { NodeContext } from '../runtime/context.ts';
import type { CoordinatedJob } from './coordinated-job.ts';

const CODE = 'STREAM_RECREATED';

/** What tells the streams, buckets and durables that a job's requests lie in from others of their names. */
type Incarnations = NonNullable<JobRecord['streams']>;

/** Streams and durables that are not those any more that the job's requests were sent into. */
export interface StreamLoss {
  /** Those there are now. */
  streams: Incarnations;
  /** Names of those that were deleted and have been made again. */
  recreated: string[];
  /** Requests or groups may have been lost. */
  requests: boolean;
  /** Rows may have been lost that were not stored yet. */
  rows: boolean;
}

/** Compares the streams that a job's requests lie in with those they were sent into. */
export class JobStreams {
  readonly #context: NodeContext;
  readonly #looks: SharedLooks;
  readonly #durables: readonly Durable[];
  readonly #trainer: string;
  readonly #evaluations: string;
  readonly #job: string;
  readonly #lease: Lease;
  /** Streams that were made again, until another version is committed. */
  #recreated: { version: number; names: Set<string> } | undefined;

  constructor({ context, id, lease, record }: CoordinatedJob, looks: SharedLooks) {
    this.#context = context;
    this.#looks = looks;
    this.#job = id;
    this.#lease = lease;
    const trainer = trainerDurable(id, record.config);
    const evaluations = evaluationDurable(id);
    this.#durables = [trainer, evaluations];
    this.#trainer = placeOf(trainer);
    this.#evaluations = placeOf(evaluations);
  }

  /** Makes the job's durables, before anything is sent: SCORED keeps messages only for durables it knows. */
  async ensure(): Promise<void> {
    const { bus } = this.#context;
    await ensureWriterDurables(bus);
    for (const durable of this.#durables) await this.#make(durable);
  }

  /** Makes a durable unless the lease was lost: whoever has it now may have ended the job, and the durable would be left for good. */
  async #make(durable: Durable): Promise<void> {
    if (!this.#lease.held) throw new MillraceError('aborted', `the lease of job ${this.#job} was lost`);
    await this.#context.bus.ensureDurable(durable);
  }

  /** Says what was made again, at which version and with how many requests open. */
  report(recreated: readonly string[], { version, open }: { version: number; open: number }): void {
    if (recreated.length === 0) return;
    this.#recreated = { version, names: new Set([...(this.#recreated?.names ?? []), ...recreated]) };
    for (const name of recreated)
      void this.#context.notices.report(this.#job, { code: CODE, subject: name, message: lossText(name, open) });
  }

  /** A later version than that of the loss is committed: the job goes on. */
  async committed(version: number): Promise<void> {
    if (!this.#recreated || version <= this.#recreated.version) return;
    const { names } = this.#recreated;
    this.#recreated = undefined;
    for (const name of names) await this.#context.notices.resolve(this.#job, CODE, name);
  }

  /**
   * What was lost since the job's requests were sent; undefined when nothing was, and while something is still missing or the bus
   * does not answer; the caller retries.
   */
  async findLoss({ streams: known }: JobRecord): Promise<StreamLoss | undefined> {
    const streams = await this.#present().catch((thrown: unknown) => {
      const error = MillraceError.from(thrown);
      if (!error.retryable) throw error;
      this.#context.log.warn({ err: error, job: this.#job }, 'the streams of the job could not be inspected; retrying');
      return undefined;
    });
    if (streams === undefined) return undefined;
    const recreated = Object.keys(streams).filter((name) => known?.[name] !== undefined && known[name] !== streams[name]);
    const isNew = Object.keys(streams).some((name) => known?.[name] === undefined);
    if (recreated.length === 0 && !isNew) return undefined;
    const any = (...names: string[]): boolean => names.some((name) => recreated.includes(name));
    return {
      streams,
      recreated,
      requests: any(ROLLOUTS, GROUPS, SCORED, HELD, PARTS, ...WORK_DURABLES.map(placeOf), this.#trainer, this.#evaluations),
      rows: any(SCORED, placeOf(WRITER_SCORED)),
    };
  }

  async #present(): Promise<Incarnations | undefined> {
    const { bus } = this.#context;
    const streams: Incarnations = {};
    for (const { name, created } of await this.#looks.topology()) {
      if (created === undefined) return undefined;
      streams[name] = created;
    }
    const durables = await this.#looks.durables();
    for (const durable of [WRITER_SCORED, ...WORK_DURABLES, ...this.#durables]) {
      const find = async (): Promise<string | undefined> => (await bus.durableState(durable.stream, durable.durable))?.created;
      let created = durables.get(placeOf(durable)) ?? (await find());
      if (created === undefined) {
        await this.#make(durable);
        created = await find();
      }
      if (created === undefined) return undefined;
      streams[placeOf(durable)] = created;
    }
    return streams;
  }
}

function placeOf({ stream, durable }: { stream: StreamName; durable: string }): string {
  return `${stream}/${durable}`;
}

/** What became of what was in a stream, bucket or durable that was made again, in words. */
function lossText(name: string, open: number): string {
  const requests = `${open} open ${open === 1 ? 'request is' : 'requests are'} sent again`;
  const texts: Readonly<Record<string, string>> = {
    ROLLOUTS: requests,
    GROUPS: requests,
    SCORED: `${requests}; groups that were trained on and not yet stored are counted as unstored`,
    HELD: 'requests that waited for a service are sent again',
    WEIGHTS: 'the parameter server publishes the newest version again; older versions are lost',
    policies: 'the parameter server writes the manifest again',
    EVENTS: 'events that were not stored yet are lost',
    DLQ: 'its dead letters are lost',
    jobs: 'the records of the jobs that the coordinator knows are written again',
    leases: 'leases are taken anew',
    nodes: 'nodes write themselves into it again',
    notices: 'earlier notices are lost',
    scheduler: 'places are counted anew from the jobs that run',
  };
  const rest =
    name === placeOf(WRITER_SCORED) ? 'groups that were trained on and not yet stored are counted as unstored' : requests;
  return `${name} was deleted and has been made again: ${texts[name] ?? rest}`;
}
