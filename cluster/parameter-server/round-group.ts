import { create, fromBinary } from '@bufbuild/protobuf';
import type { RoundGroup } from '../../src/algo/method.ts';
import { ExperienceSchema, type Decisions } from '../../src/gen/millrace/v1/flow_pb.ts';
import { ShardGroupSchema, type ShardGroup } from '../../src/gen/millrace/v1/learner_pb.ts';
import type { ScoredGroup } from '../../src/gen/millrace/v1/training_pb.ts';

/** Values of a column, `[trajectory][decision]`; trajectories that failed have none. */
type Column = readonly (readonly number[])[];

/**
 * A group in training: what its method sees of it, and what learners get. Decoding it costs more than most methods need, so
 * that what is in its experience is read when it is first asked for.
 */
export class GroupInTraining {
  readonly #scored: ScoredGroup;
  #decisions: Decisions[] | undefined;
  values: Column = [];
  proximal: Column = [];
  reference: Column = [];
  /** Advantages of single decisions; empty where those of the trajectories hold. */
  decisionAdvantages: Column = [];
  valueTargets: Column = [];

  constructor(scored: ScoredGroup) {
    this.#scored = scored;
  }

  /** The group as its method sees it: a plain object, so that a method may copy it with changes. */
  view(): RoundGroup {
    const { scores } = this.#scored;
    const members = (): Decisions[] => this.#members;
    return {
      rewards: scores.map(({ reward }) => reward),
      valid: scores.map(({ valid }) => valid),
      explored: scores.map(({ explored }) => explored),
      advantages: scores.map(({ advantage }) => advantage),
      get behaviour() {
        return members().map(({ logProbability }) => logProbability);
      },
      // Where a reward is not told step by step, all of it came at the end.
      get stepRewards() {
        return members().map(({ action }, i) => {
          const { stepRewards, reward } = scores[i]!;
          return stepRewards.length === action.length
            ? stepRewards
            : action.map((_, t) => (t === action.length - 1 ? reward : 0));
        });
      },
      ...(this.values.length > 0 && { values: this.values }),
      ...(this.proximal.length > 0 && { proximal: this.proximal }),
      ...(this.reference.length > 0 && { reference: this.reference }),
    };
  }

  /** Cuts a column that holds all decisions of the valid trajectories into trajectories. Returns the rest. */
  fill(name: 'values' | 'proximal' | 'reference', flat: readonly number[]): readonly number[] {
    let at = 0;
    this[name] = this.#members.map(({ action }) => flat.slice(at, (at += action.length)));
    return flat.slice(at);
  }

  /** What a learner gets of it. */
  shardGroup(withRewards: boolean): ShardGroup {
    return create(ShardGroupSchema, {
      experience: this.#scored.experience,
      advantages: this.#scored.scores.map(({ advantage }) => advantage),
      valid: this.#scored.scores.map(({ valid }) => valid),
      decisionAdvantages: this.decisionAdvantages.flat(),
      proximal: this.proximal.flat(),
      reference: this.reference.flat(),
      valueTargets: this.valueTargets.flat(),
      values: this.values.flat(),
      rewards: withRewards ? this.#scored.scores.map(({ reward }) => reward) : [],
    });
  }

  /** Decisions of every trajectory, none for those that have no valid score. */
  get #members(): Decisions[] {
    if (this.#decisions === undefined) {
      const { decisions } = fromBinary(ExperienceSchema, this.#scored.experience);
      const { scores } = this.#scored;
      this.#decisions = decisions.map((each, i) =>
        scores[i]?.valid ? each : { ...each, observation: [], action: [], logProbability: [] },
      );
    }
    return this.#decisions;
  }
}
