import { potentialShaping } from '../algo/credit/shaping.ts';
import { DEFAULT_GAMMA, isOutcomeAlone, isPerStep, type RewardComponent } from '../config/job/reward.ts';
import type { StepSignals } from '../gen/millrace/v1/flow_pb.ts';

/** What is known of a trajectory when its reward is put together. */
export interface Evidence {
  /** The flow's own outcome reward. */
  outcome: number;
  /** What the flow's reward gave beside the outcome, by name. */
  components: Readonly<Record<string, number>>;
  /** Values of custom reward functions, by component name. */
  custom: Readonly<Record<string, number>>;
  /** Steps of the trajectory. */
  steps: number;
  /** What came of each step; needed by components that have a value for each. */
  signals: Pick<StepSignals, 'error' | 'verified' | 'potential'> | undefined;
}

/** A reward, taken apart. */
export interface ShapedReward {
  /** Weighted sum of the components. */
  reward: number;
  /** Unweighted values by name; components of the flow that the job does not weigh are in it too. Empty with the outcome alone. */
  components: Readonly<Record<string, number>>;
  /** Reward of each step, summing to `reward`; empty when all of it comes at the end. */
  stepRewards: number[];
}

/**
 * Puts a reward together: `reward = sum over components of weight * value`. A value that belongs to steps is the sum over
 * them, and each step gets its own; everything else is given at the last step. Says what is wrong when a component has no
 * value, or when the sum is not finite.
 */
export function shapeReward(components: readonly RewardComponent[], evidence: Evidence): ShapedReward | { problem: string } {
  if (isOutcomeAlone(components)) return { reward: evidence.outcome, components: evidence.components, stepRewards: [] };
  const { steps } = evidence;
  const values: Record<string, number> = { ...evidence.components };
  const perStep = components.some(({ name }) => isPerStep(name)) && steps > 0;
  const stepRewards = new Array<number>(perStep ? steps : 0).fill(0);
  let reward = 0;
  for (const component of components) {
    const { name, weight } = component;
    if (isPerStep(name)) {
      const columns = valuesOfSteps(component, evidence);
      if (columns === undefined) return { problem: `component '${name}' has no value for each of the ${steps} steps` };
      const value = columns.reduce((sum, x) => sum + x, 0);
      columns.forEach((x, t) => (stepRewards[t]! += weight * x));
      values[name] = value;
      reward += weight * value;
      continue;
    }
    const value = valueAtEnd(component, evidence);
    if (value === undefined) return { problem: `gave no component '${name}', which the job weighs` };
    values[name] = value;
    reward += weight * value;
    if (perStep) stepRewards[steps - 1]! += weight * value;
  }
  const finite = [reward, ...stepRewards, ...Object.values(values)].every((x) => Number.isFinite(Math.fround(x)));
  return finite ? { reward, components: values, stepRewards } : { problem: 'the weighted sum of its components is not finite' };
}

function valueAtEnd({ name, module }: RewardComponent, { outcome, components, custom }: Evidence): number | undefined {
  if (name === 'outcome') return outcome;
  const values = module === undefined ? components : custom;
  return Object.hasOwn(values, name) ? values[name] : undefined;
}

function valuesOfSteps({ name, gamma }: RewardComponent, { steps, signals }: Evidence): number[] | undefined {
  if (name === 'step') return new Array<number>(steps).fill(1);
  if (steps === 0) return [];
  let values: number[] | undefined;
  if (name === 'tool-success') values = signals?.error.map((error) => (error ? 0 : 1));
  if (name === 'verification') values = signals?.verified.map((verified) => (verified ? 1 : 0));
  if (name === 'potential') values = signals && potentialShaping(signals.potential, gamma ?? DEFAULT_GAMMA);
  return values?.length === steps ? values : undefined;
}
