import type { WeightManifest } from '../gen/millrace/v1/weights_pb.ts';

/** First word of the error of a job that has run all its rounds without a single update of its weights. */
const NOTHING_TO_LEARN = 'NOTHING_TO_LEARN';

/** Why a job that has run all its rounds is no success: nothing was trained in any of them. Undefined when something was. */
export function nothingLearned({ optimizerSteps, version, ledger }: WeightManifest): string | undefined {
  if (optimizerSteps > 0 || version === 0) return undefined;
  const { trained = 0n, filtered = 0n, failed = 0n, expired = 0n } = ledger ?? {};
  const lost = [
    ...(failed > 0n ? [`${failed} failed`] : []),
    ...(expired > 0n ? [`${expired} expired`] : []),
    ...(trained > 0n ? [`${trained} had no decision that counted`] : []),
  ];
  const rest = lost.length > 0 ? `, ${lost.join(', ')}` : '';
  return (
    `${NOTHING_TO_LEARN}: nothing was trained in ${version} rounds: ${filtered} groups had equal rewards or nothing to decide${rest}. ` +
    'The weights are those that the job started from. Choose tasks that the policy sometimes succeeds at, shape the reward, raise ' +
    'rollout.groupSize or rollout.temperature, and let `plan` open more than one action'
  );
}
