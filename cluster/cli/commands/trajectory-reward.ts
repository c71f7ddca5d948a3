import type { Command } from 'commander';
import { MillraceError } from '../../../src/errors.ts';
import type { CliContext } from '../context.ts';

interface RewardFlags {
  success?: boolean;
  failure?: boolean;
  reward?: string;
}

/** `millrace trajectory reward`. */
export function registerReward(trajectory: Command, context: CliContext): void {
  trajectory
    .command('reward')
    .description('say what a live task came to; the same again changes nothing')
    .argument('<trajectory>', 'id that solving the task has answered')
    .option('--success', 'a reward of 1')
    .option('--failure', 'a reward of 0')
    .option('--reward <number>', 'any other reward, the higher the better')
    .action(async (trajectoryId: string, options: RewardFlags) => {
      const outcome = outcomeOf(options);
      const recorded = await context.withAdmin((admin) => admin.recordReward({ trajectoryId, outcome }));
      const [{ toJson }, { RecordRewardResponseSchema }] = await Promise.all([
        import('@bufbuild/protobuf'),
        import('../../../src/gen/millrace/v1/adapters_pb.ts'),
      ]);
      const { experiment, counted } = recorded;
      const text =
        experiment === '' ? 'recorded' : `recorded; it ${counted ? 'counts' : 'does not count'} in experiment ${experiment}`;
      context.print(toJson(RecordRewardResponseSchema, recorded, { alwaysEmitImplicit: true }), () => `${text}\n`);
    });
}

function outcomeOf({
  success,
  failure,
  reward,
}: RewardFlags): { case: 'success'; value: boolean } | { case: 'reward'; value: number } {
  if ([success, failure, reward].filter((given) => given !== undefined).length !== 1)
    throw new MillraceError('invalid_argument', 'Give one of --success, --failure and --reward.', { field: '--reward' });
  if (reward === undefined) return { case: 'success', value: success === true };
  const value = Number(reward);
  if (reward.trim() !== '' && Number.isFinite(value)) return { case: 'reward', value };
  throw new MillraceError('invalid_argument', `--reward: got "${reward}", expected a number.`, { field: '--reward' });
}
