import type { RoundAdvantages, RoundGroup } from '../method.ts';
import type { CorrectionConfig, KlConfig, ValueConfig } from '../schema/fields.ts';
import { generalizedAdvantages } from './gae.ts';
import { paceOf } from './pace.ts';
import { finish, needed, penalisedRound, stepRewardsOf } from './round.ts';
import { whiten } from './whiten.ts';

/** Options of {@link criticAdvantages}: a part of a method's. */
export interface CriticOptions {
  value: ValueConfig;
  kl?: KlConfig;
  correction?: CorrectionConfig;
  whiten: boolean;
  positiveOnly: boolean;
}

/** Advantages and value targets of ONE trajectory. */
export type Estimate = (
  rewards: number[],
  values: readonly number[],
  trajectory: { group: RoundGroup; i: number },
) => {
  advantages: number[];
  targets: number[];
};

/** Generalised advantage estimates of a whole round, `[group][trajectory][token]`; every trajectory has ended. */
export function criticAdvantages(round: readonly RoundGroup[], options: CriticOptions): RoundAdvantages {
  const { gamma, lambda } = options.value;
  return estimateRound(round, options, (rewards, values, { group, i }) => {
    const [discount, decay] = [paceOf(group, i, gamma), paceOf(group, i, lambda)];
    const { advantages, returns } = generalizedAdvantages(rewards, values, { bootstrap: 0, gamma: discount, lambda: decay });
    return { advantages, targets: returns };
  });
}

/** A round's advantages by an estimate for each trajectory; whitened over the round's decisions if asked for. */
export function estimateRound(
  round: readonly RoundGroup[],
  { kl, correction, whiten: white, positiveOnly }: Omit<CriticOptions, 'value'>,
  estimate: Estimate,
): RoundAdvantages {
  const groups = penalisedRound(round, kl);
  const estimates = groups.map((group) => {
    const values = needed(group.values, 'values');
    return group.behaviour.map((decisions, i) =>
      group.valid[i]
        ? estimate(stepRewardsOf(group, i), values[i]!, { group, i })
        : { advantages: decisions.map(() => 0), targets: decisions.map(() => 0) },
    );
  });
  const targets = estimates.map((group) => group.map((of) => of.targets));
  const raw = estimates.map((group) => group.map((of) => of.advantages));
  const advantages = white ? whitenDecisions(raw, groups) : raw;
  return { ...finish(advantages, groups, positiveOnly, correction), targets };
}

function whitenDecisions(advantages: number[][][], round: readonly RoundGroup[]): number[][][] {
  const valid = advantages.flatMap((group, g) => group.flatMap((of, i) => of.map(() => round[g]!.valid[i]!)));
  const flat = whiten(advantages.flat(2), { valid });
  let next = 0;
  return advantages.map((group) => group.map((of) => of.map(() => flat[next++]!)));
}
