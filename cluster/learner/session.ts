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
import type { NodeContext } from '../runtime/context.ts';
import type { PolicyLearner, PolicySpec } from '../../src/policy/kind.ts';
import type { LearnerGroup } from '../../src/policy/policy.ts';
import { policyLearner } from './policy.ts';
import type { LearnerStatus } from './status.ts';
import type { Turn } from './turns.ts';

/** Between two turns of the event loop: half of what heartbeats can bear. */
const MICRO_BATCH_MS = 80;

/** Options of a {@link LearnerSession}. */
export interface SessionOptions {
  compute: ComputeInfo;
  /** Decisions in a micro-batch; default: what this machine computes in about 80 ms. Serial mode fixes it. */
  maxDecisions?: number | undefined;
  /** Bytes of memory that this process has, for heartbeats. Default: as the operating system says. */
  memoryBytes?: (() => number) | undefined;
  status: LearnerStatus;
  /** Called with every message that waits for its turn. */
  onWork: () => void;
}

/** What a learner keeps of a job: its policy with the weights of one version. */
interface LearnerJob {
  algorithm: AlgorithmConfig;
  policy: PolicyLearner;
  version: number;
  /** Updates of the round that were made to that version. */
  step: number;
  chunks: Uint8Array[];
}

/** One connection to a parameter server: its messages are handled one after the other, in order, when it is their turn. */
export class LearnerSession implements Turn {
  readonly #link: Link<WorkResponse, WorkRequest>;
  readonly #context: NodeContext;
  readonly #status: LearnerStatus;
  readonly #memoryBytes: () => number;
  readonly #jobs = new Map<string, LearnerJob>();
  /** Why the policy of a job could not be made. */
  readonly #refused = new Map<string, MillraceError>();
  readonly #slices: SliceOptions;
  /** Messages that wait for their turn. */
  readonly #waiting: WorkResponse[] = [];
  #working = false;
  #closed = false;

  constructor(context: NodeContext, link: Link<WorkResponse, WorkRequest>, options: SessionOptions) {
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
      if (this.#closed) return;
      this.#waiting.push(message);
      options.onWork();
    });
  }

  /** Bytes of experience in the next shard; undefined where nothing waits. */
  get cost(): number | undefined {
    if (this.#waiting.length === 0) return undefined;
    const shard = this.#waiting.find(({ message }) => message.case === 'shard')?.message;
    const groups = shard?.case === 'shard' ? shard.value.groups : [];
    return groups.reduce((sum, { experience }) => sum + (experience?.length ?? 0), 1);
  }

  /** Jobs of the server that are set up here. */
  get weight(): number {
    return Math.max(1, this.#jobs.size);
  }

  /** Handles what waits, up to the end of the next shard. */
  async work(): Promise<void> {
    this.#working = true;
    try {
      for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) {
        await this.#handle(next);
        if (next.message.case === 'shard') return;
      }
    } catch (error) {
      this.#context.log.error({ err: error }, 'what the parameter server sent cannot be handled; the connection is made anew');
      this.#link.close();
    } finally {
      this.#working = false;
      if (this.#closed) this.#dispose();
    }
  }

  heartbeat(): void {
    this.#send({ case: 'heartbeat', value: { memoryBytes: BigInt(this.#memoryBytes()), tensors: 0 } });
  }

  close(): void {
    this.#closed = true;
    this.#waiting.length = 0;
    // What is being computed needs its policy to the end.
    if (!this.#working) this.#dispose();
  }

  #dispose(): void {
    for (const state of this.#jobs.values()) state.policy.dispose();
    this.#jobs.clear();
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
