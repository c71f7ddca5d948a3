import { create } from '@bufbuild/protobuf';
import type { JobConfig } from '../../src/config/job.ts';
import { addToAverage } from '../../src/algo/optim/average.ts';
import { adamW, adamWState, type AdamWState } from '../../src/algo/optim/adamw.ts';
import { clipByGlobalNorm } from '../../src/algo/optim/clip.ts';
import { learningRateAt } from '../../src/algo/optim/schedule.ts';
import { MillraceError } from '../../src/errors.ts';
import type { Ledger } from '../../src/gen/millrace/v1/training_pb.ts';
import { WeightManifestSchema, type WeightManifest } from '../../src/gen/millrace/v1/weights_pb.ts';
import type { RoundSum } from '../../src/jobs/reduce.ts';
import { bytesOfFloats, floatsFromBytes } from '../../src/policy/float-bytes.ts';
import type { Parameters } from '../../src/policy/policy.ts';
import { checkPolicyKind } from '../../src/weights/manifest.ts';
import type { VersionBlobs } from '../../src/weights/weight-channel.ts';

/** What one update did. */
export interface UpdateReport {
  gradientNorm: number;
  learningRate: number;
}

/** A job's master weights and optimiser state. */
export class Master {
  readonly #config: JobConfig;
  readonly #parameters: Parameters;
  readonly #state: AdamWState;
  #average: Float32Array | undefined;

  /** @param from.average - undefined before the first version that has one */
  constructor(
    config: JobConfig,
    parameters: Parameters,
    { optimizer = adamWState(parameters.values.length), average }: { optimizer?: AdamWState; average?: Float32Array } = {},
  ) {
    this.#config = config;
    this.#parameters = parameters;
    this.#state = optimizer;
    this.#average = average;
  }

  /** Rebuilds the state that a manifest committed. */
  static restore(
    config: JobConfig,
    layout: Parameters,
    manifest: WeightManifest,
    blobs: Pick<VersionBlobs, 'weights' | 'optimizer' | 'average'>,
  ): Master {
    checkPolicyKind(manifest, config.policy.kind);
    const size = layout.values.length;
    const values = floatsFromBytes(blobs.weights);
    const moments = floatsFromBytes(blobs.optimizer);
    const average = blobs.average && floatsFromBytes(blobs.average);
    if (values.length !== size || moments.length !== 2 * size || (average !== undefined && average.length !== size)) {
      throw new MillraceError(
        'data_loss',
        `version ${manifest.version} of job ${manifest.job} has ${values.length} weights, ${moments.length} moments and ${average?.length ?? 'no'} averages; the policy needs ${size}, ${2 * size} and ${size} or none`,
      );
    }
    const optimizer = { m: moments.slice(0, size), v: moments.slice(size), step: manifest.optimizerSteps };
    return new Master(config, { tensors: layout.tensors, values }, { optimizer, ...(average && { average }) });
  }

  get parameters(): Parameters {
    return this.#parameters;
  }

  get weightBytes(): Uint8Array {
    return bytesOfFloats(this.#parameters.values);
  }

  get optimizerBytes(): Uint8Array {
    const { m, v } = this.#state;
    const both = new Float32Array(m.length + v.length);
    both.set(m);
    both.set(v, m.length);
    return bytesOfFloats(both);
  }

  /** Moving average of the weights over the versions; undefined without averaging, and before the first round. */
  get average(): Float32Array | undefined {
    return this.#average;
  }

  get averageBytes(): Uint8Array | undefined {
    return this.#average && bytesOfFloats(this.#average);
  }

  get optimizer(): Readonly<AdamWState> {
    return this.#state;
  }

  /**
   * One AdamW update from a round's sums: divide once by the summed weight, clip by global norm, step. A sum of weight 0 (no
   * group had a signal) changes nothing.
   */
  update(sum: RoundSum, round: number): UpdateReport {
    const { optimizer, rounds } = this.#config;
    const learningRate = learningRateAt(round, rounds, optimizer);
    if (sum.weight === 0) return { gradientNorm: 0, learningRate };
    const { length } = sum.gradient;
    const gradient = new Float32Array(length);
    // Not Float32Array.from: with a function it goes through an iterator, fifty times slower.
    for (let i = 0; i < length; i++) gradient[i] = sum.gradient[i]! / sum.weight;
    const gradientNorm = clipByGlobalNorm(gradient, optimizer.maxGradientNorm);
    if (!Number.isFinite(gradientNorm)) {
      throw new MillraceError('data_loss', `the gradient of round ${round + 1} is not finite; lower optimizer.learningRate`);
    }
    adamW(this.#parameters.values, gradient, this.#state, { ...optimizer, learningRate });
    return { gradientNorm, learningRate };
  }

  /** Adds the weights, which become `version`, to their average (`optimizer.averaging`). */
  addToAverage(version: number): void {
    const { averaging: decay } = this.#config.optimizer;
    if (decay === 0 || version === 0) return;
    const { values } = this.#parameters;
    // Of a job that goes on from weights without an average (an older build, a checkpoint) it begins with them.
    if (this.#average === undefined) this.#average = values.slice();
    else addToAverage(this.#average, values, { decay, version });
  }

  /** The commit record for the present weights; the channel fills in the blobs. */
  manifest(at: {
    job: string;
    version: number;
    ledger: Ledger;
    now: number;
    fence: number;
    trainSeconds: number;
  }): WeightManifest {
    return create(WeightManifestSchema, {
      job: at.job,
      version: at.version,
      tensors: this.#parameters.tensors.map(({ name, shape }) => ({ name, shape: [...shape] })),
      ledger: at.ledger,
      committedAtUs: BigInt(Math.round(at.now * 1000)),
      fence: BigInt(at.fence),
      trainSeconds: at.trainSeconds,
      optimizerSteps: this.#state.step,
      policyKind: this.#config.policy.kind,
    });
  }
}
