import { percent } from './percent.ts';

/*
 * When a policy has collapsed: it always does the same, and that is wrong most of the time. A policy that has converged on what is right does
 * the same too, so that success decides which of the two it is.
 */

/** Codes of the notices about what makes training pointless. */
export const POLICY_COLLAPSED = 'POLICY_COLLAPSED';
export const NOTHING_TO_DECIDE = 'NOTHING_TO_DECIDE';

/** What one round says about how the policy decides. */
export interface RoundDecisions {
  /** Steps in which at least two actions were open. */
  choices: number;
  /** Mean entropy over those, as a share of the largest that the open actions admit: 0 to 1. */
  entropy: number;
  /** Share of the tool used most, over the steps in which different tools were open; 0 when there were none. */
  toolShare: number;
  /** Mean success of the round's trajectories, 0 to 1. */
  success: number;
  /** Mean steps of a trajectory, and those of the shortest one. */
  steps: number;
  fewestSteps: number;
}

/** Success from which on a policy that always does the same is right to. */
const RIGHT_SUCCESS = 0.9;
/** Relative entropy at which a policy is as good as deterministic; the figure of a uniform policy is 1. */
const NO_ENTROPY = 0.02;
/** Relative entropy below which one tool alone, or the shortest episodes, are signs of a collapse. */
const LOW_ENTROPY = 0.1;
/** Share of one tool that counts as always. */
const ONE_TOOL = 0.99;
/** Rounds in a row that make a collapse, and rounds in a row without a sign that end it. */
export const COLLAPSE_ROUNDS = 5;
export const RECOVERY_ROUNDS = 3;
/** Mean steps up to this many times those of the shortest trajectory ever are the minimum, when training began above LONGER times it. */
const SHORTEST = 1.02;
const LONGER = 1.5;

/** A collapse that lasts. */
export interface Collapse {
  /** Rounds in a row with a sign of it. */
  rounds: number;
  /** What is seen, in words. */
  signs: string[];
}

/** Watches the rounds of a job for a collapse of its policy. Pure: the same rounds give the same answers. */
export class CollapseWatch {
  #signed = 0;
  #clean = 0;
  #collapse: Collapse | undefined;
  #fewestSteps = Infinity;
  /** Mean steps of the first round. */
  #firstSteps: number | undefined;

  /**
   * Takes the next round; the collapse that lasts, if any. Rounds without a choice say nothing.
   *
   * @param ruleSuccess - success rate of the flow's rule planner, where it was measured: a policy that comes near it has converged. Default 1.
   */
  add(round: RoundDecisions, ruleSuccess = 1): Collapse | undefined {
    if (round.choices === 0) return this.#collapse;
    this.#firstSteps ??= round.steps;
    this.#fewestSteps = Math.min(this.#fewestSteps, round.fewestSteps);
    const signs = this.#signs(round, Math.min(RIGHT_SUCCESS, 0.95 * ruleSuccess));
    this.#signed = signs.length > 0 ? this.#signed + 1 : 0;
    this.#clean = signs.length > 0 ? 0 : this.#clean + 1;
    if (this.#signed >= COLLAPSE_ROUNDS) this.#collapse = { rounds: this.#signed, signs };
    if (this.#clean >= RECOVERY_ROUNDS) this.#collapse = undefined;
    return this.#collapse;
  }

  #signs({ entropy, toolShare, success, steps }: RoundDecisions, right: number): string[] {
    if (success >= right || entropy > LOW_ENTROPY) return [];
    const shortest = steps <= SHORTEST * this.#fewestSteps && this.#firstSteps! >= LONGER * this.#fewestSteps;
    const signs = [
      ...(entropy <= NO_ENTROPY ? [`entropy is ${percent(entropy)} of the possible`] : []),
      ...(toolShare >= ONE_TOOL ? ['one tool is used always'] : []),
      ...(shortest ? [`episodes are as short as can be (${steps.toFixed(1)} steps)`] : []),
    ];
    // Of one tool or short episodes alone a flow may well be full.
    return entropy <= NO_ENTROPY || signs.length > 1 ? [...signs, `success is ${percent(success)}`] : [];
  }
}
