import { create, type MessageInitShape } from '@bufbuild/protobuf';
import type { AlgorithmConfig } from '../../src/algo/config.ts';
import type { ComputeInfo } from '../../src/compute/backend.ts';
import { MillraceError } from '../../src/errors.ts';
import {
  ShardWork,
  type JobSetup,
  WorkRequestSchema,
  type Shard,
  type ShardGroup,
  type ShardResultSchema,
  type WeightChunk,
  type WorkRequest,
  type WorkResponse,
} from '../../src/gen/millrace/v1/learner_pb.ts';
import { decodeExperience } from '../../src/policy/experience.ts';
import { bytesOfFloats, floatsFromBytes } from '../../src/policy/float-bytes.ts';
import { computeGradientsInSlices, evaluateInSlices, type SliceOptions } from '../../src/policy/learner/gradient.ts';
import type { Link } from '../../src/rpc/link.ts';
import type { NodeContext, Role } from '../runtime/context.ts';
import type { PolicyLearner, PolicySpec } from '../../src/policy/kind.ts';
import type { LearnerGroup } from '../../src/policy/policy.ts';
import { builtInKinds } from '../../src/policy/registry.ts';
import { policyLearner } from './policy.ts';
import { LearnerStatus } from './status.ts';

/** Options of the learner role. */
export interface LearnerOptions {
  compute: ComputeInfo;
  /** Address of the parameter server, or undefined while none is known. */
  findServer: () => Promise<string | undefined>;
  connect: (address: string) => Promise<Link<WorkResponse, WorkRequest>>;
  /** Decisions in a micro-batch; default: what this machine computes in about 80 ms. Serial mode fixes it. */
  maxDecisions?: number | undefined;
  /** Bytes of memory that this process has, for heartbeats. Default: as the operating system says. */
  memoryBytes?: (() => number) | undefined;
}

const HEARTBEAT_MS = 2_000;
/** Between two turns of the event loop: half of what heartbeats can bear. */
const MICRO_BATCH_MS = 80;
const RECONNECT_MS = 500;

/** What a learner keeps of a job: its policy with the weights of one version. */
interface LearnerJob {
  algorithm: AlgorithmConfig;
  policy: PolicyLearner;
  version: number;
  /** Updates of the round that were made to that version. */
  step: number;
  chunks: Uint8Array[];
}

/**
 * A learner connects to the parameter server, receives weights and shards of rounds, and answers each shard with sums of
 * gradients, weights and statistics. It owns nothing durable: when it is lost, its shard goes to another learner.
 */
export async function startLearner(context: NodeContext, options: LearnerOptions): Promise<Role> {
  const { clock, log } = context;
  const stopping = new AbortController();
  let link: Link<WorkResponse, WorkRequest> | undefined;
  const status = new LearnerStatus();
  const unlist = context.actors.enlist('learner', 'worker', () => status.read());
  await context.outside(builtInKinds.load());

  const serve = async (connected: Link<WorkResponse, WorkRequest>): Promise<void> => {
    const session = new LearnerSession(context, connected, { ...options, status });
    status.connected(true);
    const stopHeartbeats = clock.every(HEARTBEAT_MS, () => session.heartbeat());
    await connected.closed;
    status.connected(false);
    stopHeartbeats();
    session.close();
  };

  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      try {
        const address = await options.findServer();
        if (address !== undefined) {
          link = await options.connect(address);
          log.info({ address }, 'connected to the parameter server');
          await serve(link);
        }
      } catch (error) {
        status.failed(MillraceError.from(error).message);
        log.warn({ err: error }, 'no parameter server answers; trying again');
      }
      await clock.sleep(RECONNECT_MS, stopping.signal).catch(() => {});
    }
  };
  const running = run();

  return {
    name: 'learner',
    async stop() {
      stopping.abort();
      status.stopping();
      link?.close();
      await running;
      unlist();
    },
  };
}

/** One connection: messages are handled one after the other, in order. */
class LearnerSession {
  readonly #link: Link<WorkResponse, WorkRequest>;
  readonly #context: NodeContext;
  readonly #status: LearnerStatus;
  readonly #memoryBytes: () => number;
  readonly #jobs = new Map<string, LearnerJob>();
  /** Why the policy of a job could not be made. */
  readonly #refused = new Map<string, MillraceError>();
  readonly #slices: SliceOptions;
  #queue: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(context: NodeContext, link: Link<WorkResponse, WorkRequest>, options: LearnerOptions & { status: LearnerStatus }) {
    const { clock } = context;
    const { maxDecisions } = options;
    this.#slices = maxDecisions === undefined ? { clock, targetMs: MICRO_BATCH_MS } : { clock, maxDecisions };
    this.#link = link;
    this.#context = context;
    this.#status = options.status;
    this.#memoryBytes = options.memoryBytes ?? (() => process.memoryUsage.rss());
    const { backend, device, gflops } = options.compute;
    this.#send({ case: 'hello', value: { learner: context.id, backend, device, gflops } });
    link.onMessage((message) => {
      this.#queue = this.#queue.then(() => (this.#closed ? undefined : this.#handle(message)));
    });
  }

  heartbeat(): void {
    this.#send({ case: 'heartbeat', value: { memoryBytes: BigInt(this.#memoryBytes()), tensors: 0 } });
  }

  close(): void {
    this.#closed = true;
    void this.#queue.then(() => {
      for (const state of this.#jobs.values()) state.policy.dispose();
      this.#jobs.clear();
    });
  }

  async #handle({ message }: WorkResponse): Promise<void> {
    switch (message.case) {
      case 'setup':
        await this.#setUp(message.value);
        return;
      case 'weights':
        this.#takeWeights(message.value);
        return;
      case 'shard':
        await this.#compute(message.value);
        return;
      case 'end':
        this.#drop(message.value.job);
        return;
      default:
        this.#context.log.warn({ case: message.case }, 'the parameter server sent something this learner does not know');
    }
  }

  /** Where the policy cannot be made, shards of the job are answered with why. */
  async #setUp({ job, policyJson, algorithmJson }: JobSetup): Promise<void> {
    this.#drop(job);
    try {
      const policy = await policyLearner(this.#context, job, JSON.parse(policyJson) as PolicySpec);
      const algorithm = JSON.parse(algorithmJson) as AlgorithmConfig;
      this.#jobs.set(job, { algorithm, policy, version: -1, step: 0, chunks: [] });
    } catch (thrown) {
      const error = MillraceError.from(thrown);
      this.#context.log.warn({ err: error, job }, 'the policy of a job could not be set up');
      this.#refused.set(job, error);
    }
  }

  #drop(job: string): void {
    this.#jobs.get(job)?.policy.dispose();
    this.#jobs.delete(job);
    this.#refused.delete(job);
  }

  #takeWeights({ job, version, step, index, chunks, data }: WeightChunk): void {
    const state = this.#jobs.get(job);
    if (!state) return;
    state.chunks = index === 0 ? [data] : [...state.chunks, data];
    if (state.chunks.length !== chunks) return;
    state.policy.load(floatsFromBytes(Buffer.concat(state.chunks)));
    Object.assign(state, { version, step, chunks: [] });
  }

  async #compute(shard: Shard): Promise<void> {
    const { job, round, index, pass } = shard;
    const { clock } = this.#context;
    const started = clock.monotonic();
    this.#status.begun();
    try {
      const refused = this.#refused.get(job);
      if (refused !== undefined) throw refused;
      const state = this.#jobs.get(job);
      if (state?.version !== shard.version || state.step !== shard.step) {
        throw new MillraceError(
          'failed_precondition',
          `has version ${state?.version ?? 'none'}+${state?.step ?? 0} of job ${job}, not ${shard.version}+${shard.step}`,
        );
      }
      const answer = shard.work === ShardWork.EVALUATE ? await this.#evaluate(state, shard) : await this.#gradient(state, shard);
      const computeMs = clock.monotonic() - started;
      this.#context.metrics.observe('shard_seconds', { job }, computeMs / 1000);
      this.#send({ case: 'result', value: { job, round, shard: index, pass, computeMs, ...answer } });
      this.#status.ended();
    } catch (thrown) {
      const { message } = MillraceError.from(thrown);
      this.#status.ended(message);
      this.#context.log.warn({ err: thrown, job, round, shard: index }, 'shard failed');
      this.#context.metrics.count('shards_failed_total', { job });
      this.#send({ case: 'failure', value: { job, round, shard: index, pass, message } });
    }
  }

  async #gradient(job: LearnerJob, { groups, entropy }: Shard): Promise<MessageInitShape<typeof ShardResultSchema>> {
    const algorithm = { ...job.algorithm, entropy };
    const learned = groups.map(learnerGroup);
    const { gradient, ...sums } = await computeGradientsInSlices(job.policy, learned, algorithm, this.#slices);
    return { ...sums, gradient: bytesOfFloats(gradient) };
  }

  async #evaluate({ policy }: LearnerJob, { groups }: Shard): Promise<MessageInitShape<typeof ShardResultSchema>> {
    const { logProbs, values, longestBlockMs } = await evaluateInSlices(policy, groups.map(learnerGroup), this.#slices);
    return { logProbabilities: [...logProbs], values: [...values], longestBlockMs };
  }

  #send(message: NonNullable<MessageInitShape<typeof WorkRequestSchema>['message']>): void {
    // A failed send means a closed link; the session ends through `closed`.
    this.#link.send(create(WorkRequestSchema, { message })).catch(() => {});
  }
}

/** What a learner reads of a group; columns that were not sent are empty. */
function learnerGroup(group: ShardGroup): LearnerGroup {
  return { ...group, experience: decodeExperience(group.experience) };
}
