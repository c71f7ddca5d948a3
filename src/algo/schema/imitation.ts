import type { Refusals } from './refusals.ts';

/**
 * Why methods that imitate have no option that weighs trajectories against each other or against an older policy.
 *
 * @param imitated - what is learned as it is: the rule's decisions, a policy's own successes
 * @param counts - what a trajectory counts, since nothing is compared
 */
export function imitationRefusals(imitated: string, counts: string): Refusals {
  const noRatio = `its loss has no probability ratio: ${imitated} are learned as they are`;
  const noBaseline = `it compares with nothing: ${counts}`;
  return {
    ...{ clipLow: noRatio, clipHigh: noRatio, dualClip: noRatio, correction: noRatio, unit: noRatio },
    ...{ std: noBaseline, epsilon: noBaseline, credit: noBaseline, positiveOnly: noBaseline },
    kl: 'nothing holds it near a reference; grpo and others have a penalty',
  };
}
