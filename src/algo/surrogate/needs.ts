import type { RoundNeeds } from '../method.ts';
import type { CorrectionConfig, KlConfig } from '../schema/fields.ts';

/** What a round's preparation must compute for these options. */
export function needsOf({ kl, correction }: { kl?: KlConfig; correction?: CorrectionConfig }): RoundNeeds {
  return {
    values: false,
    proximal: correction !== undefined && correction.kind !== 'none',
    reference: kl !== undefined && kl.coefficient > 0,
  };
}
