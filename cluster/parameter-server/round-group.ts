import { create } from '@bufbuild/protobuf';
import { trainedRewards, trainedTokens, type Trained } from '../../src/algo/columns/experience.ts';
import type { AlgorithmConfig } from '../../src/algo/config.ts';
import type { GroupRewards, RoundGroup } from '../../src/algo/method.ts';
import { methodOf } from '../../src/algo/registry.ts';
import { ShardGroupSchema, type ShardGroup } from '../../src/gen/millrace/v1/learner_pb.ts';
import type { ScoredGroup } from '../../src/gen/millrace/v1/training_pb.ts';
import { decodeExperience, type Experience } from '../../src/policy/experience.ts';

/** Values of a column, `[trajectory][token]`, of the tokens that are trained on; trajectories that failed have none. */
type Column = readonly (readonly number[])[];

/**
 * A group in training: what its method sees of it, and what learners get. Reading it costs more than most methods need, so
 * that the columns of its experience are read when they are first asked for. Its payload is for learners.
 */
export class GroupInTraining {
  readonly #scored: ScoredGroup;
  /** Trajectories that count, and that the method trains on. */
  readonly #valid: readonly boolean[];
  #read: { experience: Experience; trained: Trained } | undefined;
  values: Column = [];
  proximal: Column = [];
  reference: Column = [];
  /** Advantages of single tokens; empty where those of the trajectories hold. */
  decisionAdvantages: Column = [];
  valueTargets: Column = [];

  constructor(scored: ScoredGroup, algorithm: AlgorithmConfig) {
    this.#scored = scored;
    const { scores } = scored;
    const of: GroupRewards = {
      rewards: scores.map(({ reward }) => reward),
      valid: scores.map(({ valid }) => valid),
      successful: scores.map(({ success }) => success),
      explored: scores.map(({ explored }) => explored),
    };
    const trained = methodOf(algorithm).trainsOn?.(of, algorithm);
    this.#valid = of.valid.map((valid, i) => valid && (trained?.[i] ?? true));
  }

  /** Bytes of its experience. */
  get bytes(): number {
    return this.#scored.experience.byteLength;
  }

  /** The group as its method sees it: a plain object, so that a method may copy it with changes. */
  view(): RoundGroup {
    const { scores } = this.#scored;
    const behaviour = (): number[][] =>
      this.#cut(this.#columns.trained.tokens, ({ logProbabilities }, t) => logProbabilities[t]!);
    const stepRewards = (): number[][] => this.#stepRewards();
    const decisionLengths = (): number[][] => this.#columns.trained.lengths;
    return {
      rewards: scores.map(({ reward }) => reward),
      valid: this.#valid,
      successful: scores.map(({ success }) => success),
      explored: scores.map(({ explored }) => explored),
      advantages: scores.map(({ advantage }) => advantage),
      get behaviour() {
        return behaviour();
      },
      get stepRewards() {
        return stepRewards();
      },
      get decisionLengths() {
        return decisionLengths();
      },
      ...(this.values.length > 0 && { values: this.values }),
      ...(this.proximal.length > 0 && { proximal: this.proximal }),
      ...(this.reference.length > 0 && { reference: this.reference }),
    };
  }

  /** Cuts a column that holds all trained tokens of the valid trajectories into trajectories. Returns the rest. */
  fill(name: 'values' | 'proximal' | 'reference', flat: readonly number[]): readonly number[] {
    const { length } = this.#columns.trained.tokens;
    this[name] = this.#cut(flat, (_, value) => value);
    return flat.slice(length);
  }

  /** What a learner gets of it. */
  shardGroup(withRewards: boolean): ShardGroup {
    return create(ShardGroupSchema, {
      experience: this.#scored.experience,
      advantages: this.#scored.scores.map(({ advantage }) => advantage),
      valid: [...this.#valid],
      decisionAdvantages: this.decisionAdvantages.flat(),
      proximal: this.proximal.flat(),
      reference: this.reference.flat(),
      valueTargets: this.valueTargets.flat(),
      values: this.values.flat(),
      rewards: withRewards ? this.#scored.scores.map(({ reward }) => reward) : [],
    });
  }

  /** Rewards of the decisions that are trained on; where none are known, all of the reward came at the end. */
  #stepRewards(): number[][] {
    const { experience, trained } = this.#columns;
    const all = experience.trajectoryLengths.map((length, i) => {
      const { stepRewards, reward } = this.#scored.scores[i]!;
      if (stepRewards.length === length) return stepRewards;
      return Array.from({ length }, (_, t) => (t === length - 1 ? reward : 0));
    });
    return trainedRewards(all, experience, trained);
  }

  /** Entries of a flat column by trajectory. */
  #cut(flat: readonly number[], valueOf: (experience: Experience, entry: number) => number): number[][] {
    const { experience, trained } = this.#columns;
    let at = 0;
    return trained.lengths.map((lengths) => {
      const end = at + lengths.reduce((sum, length) => sum + length, 0);
      const own = flat.slice(at, end).map((entry) => valueOf(experience, entry));
      at = end;
      return own;
    });
  }

  get #columns(): { experience: Experience; trained: Trained } {
    if (this.#read === undefined) {
      const experience = decodeExperience(this.#scored.experience);
      const valid = experience.trajectoryLengths.map((_, i) => this.#valid[i] === true);
      this.#read = { experience, trained: trainedTokens(experience, valid) };
    }
    return this.#read;
  }
}
