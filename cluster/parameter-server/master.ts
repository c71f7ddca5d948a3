import { create } from '@bufbuild/protobuf';
import type { JobConfig } from '../../src/config/job.ts';
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

  constructor(config: JobConfig, parameters: Parameters, state: AdamWState = adamWState(parameters.values.length)) {
    this.#config = config;
    this.#parameters = parameters;
    this.#state = state;
  }

  /** Rebuilds the state that a manifest committed. */
  static restore(
    config: JobConfig,
    layout: Parameters,
    manifest: WeightManifest,
    blobs: { weights: Uint8Array; optimizer: Uint8Array },
  ): Master {
    checkPolicyKind(manifest, config.policy.kind);
    const size = layout.values.length;
    const values = floatsFromBytes(blobs.weights);
    const moments = floatsFromBytes(blobs.optimizer);
    if (values.length !== size || moments.length !== 2 * size) {
      throw new MillraceError(
        'data_loss',
        `version ${manifest.version} of job ${manifest.job} has ${values.length} weights and ${moments.length} moments; the policy needs ${size} and ${2 * size}`,
      );
    }
    const state = { m: moments.slice(0, size), v: moments.slice(size), step: manifest.optimizerSteps };
    return new Master(config, { tensors: layout.tensors, values }, state);
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
