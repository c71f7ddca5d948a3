import { DEFAULT_ALGORITHM } from '../../src/algo/config.ts';
import { methodOf } from '../../src/algo/registry.ts';
import type { Clock } from '../../src/clock/clock.ts';
import type { JobConfig } from '../../src/config/job.ts';
import { FailureClass } from '../../src/gen/millrace/v1/flow_pb.ts';
import type { TrajectoryGroup } from '../../src/gen/millrace/v1/training_pb.ts';
import { decodeExperience } from '../../src/policy/experience.ts';
import type { PolicyLearner } from '../../src/policy/kind.ts';
import { computeGradientsInSlices, evaluateInSlices } from '../../src/policy/learner/gradient.ts';
import type { LearnerGroup } from '../../src/policy/policy.ts';

/** Measures what a learner takes for groups of a probe. */
export class LearnerProbe {
  readonly #policy: PolicyLearner;
  readonly #config: Pick<JobConfig, 'algorithm'>;
  readonly #clock: Clock;
  #isWarm = false;

  /** @param policy - with its weights loaded */
  constructor(policy: PolicyLearner, config: Pick<JobConfig, 'algorithm'>, clock: Clock) {
    this.#policy = policy;
    this.#config = config;
    this.#clock = clock;
  }

  /**
   * Seconds of one learner for a group that has a signal: its gradient once for each epoch, and what the method computes at the start of
   * a round. Losses of all methods cost the same here: the passes through the policy are what takes time.
   */
  async seconds({ experience, trajectories }: Pick<TrajectoryGroup, 'experience' | 'trajectories'>): Promise<number> {
    const valid = trajectories.map(({ failure }) => failure === FailureClass.UNSPECIFIED);
    // Any advantages that are not all zero.
    const advantages = trajectories.map((_, i) => (i % 2 === 0 ? 1 : -1));
    const group: LearnerGroup = { experience: decodeExperience(experience), advantages, valid };
    const gradient = (): Promise<unknown> =>
      computeGradientsInSlices(this.#policy, [group], DEFAULT_ALGORITHM, { clock: this.#clock });
    // The first pass compiles and allocates.
    if (!this.#isWarm) await gradient();
    this.#isWarm = true;
    const { algorithm } = this.#config;
    const needs = methodOf(algorithm).needs(algorithm);
    const evaluations = Number(needs.values || needs.proximal) + Number(needs.reference);
    const gradientSeconds = await this.#timed(gradient);
    if (evaluations === 0) return algorithm.epochs * gradientSeconds;
    const evaluation = await this.#timed(() => evaluateInSlices(this.#policy, [group], { clock: this.#clock }));
    return algorithm.epochs * gradientSeconds + evaluations * evaluation;
  }

  async #timed(work: () => Promise<unknown>): Promise<number> {
    const begun = this.#clock.monotonic();
    await work();
    return (this.#clock.monotonic() - begun) / 1000;
  }
}
