import type { Command } from 'commander';
import { MillraceError } from '../../../src/errors.ts';
import type { Experiment } from '../../../src/gen/millrace/v1/adapters_pb.ts';
import type { AdminClient } from '../admin-client.ts';
import type { CliContext } from '../context.ts';
import { ownerFields } from '../owner-options.ts';
import { wholeNumber } from '../whole-number.ts';

interface CreateFlags {
  id?: string;
  share?: string;
  alpha?: string;
  minPairs?: string;
  maxPairs?: string;
  rewardWithin?: string;
  owner?: string;
}

/** `millrace experiment …`: comparisons of two policies on live tasks. */
export function register(program: Command, context: CliContext): void {
  const experiment = program
    .command('experiment')
    .description('compare the live policy of an agent with another one on live tasks');
  experiment
    .command('create')
    .description('share the tasks of an agent between its live policy and a candidate until rewards tell which is better')
    .argument('<agent>', 'registered agent')
    .argument('<candidate>', '<job>@<version> of a published policy')
    .option('--id <id>', 'lower-case letters, digits and "-", at most 40 (default: chosen by the server)')
    .option('--share <number>', 'share of the users that meet the candidate, 0.05 to 0.95 (default: 0.5)')
    .option('--alpha <number>', 'largest probability to decide where the two are equal, at most 0.5 (default: 0.05)')
    .option('--min-pairs <count>', 'pairs of rewards before which nothing is decided (default: 30)')
    .option('--max-pairs <count>', 'pairs at which it ends without a winner (default: 5000)')
    .option('--reward-within <seconds>', 'how long after a task its reward counts (default: 86400)')
    .option('--owner <name>', 'who creates it (default: MILLRACE_OWNER, or local)')
    .action(async (agent: string, candidate: string, options: CreateFlags) => {
      const count = (text: string | undefined, flag: string): number =>
        text === undefined ? 0 : wholeNumber(text, flag, 1, 10_000);
      const within = options.rewardWithin;
      const { durationFromMs } = await import('@bufbuild/protobuf/wkt');
      const { owner } = ownerFields({ ...(options.owner !== undefined && { owner: options.owner }) }, context.env);
      const request = {
        ...{ agent, candidate, id: options.id ?? '', owner },
        ...{ share: fraction(options.share, '--share'), alpha: fraction(options.alpha, '--alpha') },
        ...{ minPairs: count(options.minPairs, '--min-pairs'), maxPairs: count(options.maxPairs, '--max-pairs') },
        ...(within !== undefined && { rewardWithin: durationFromMs(1000 * wholeNumber(within, '--reward-within', 1, 604_800)) }),
      };
      await show(context, (admin) => admin.createExperiment(request), 'created');
    });
  experiment
    .command('list')
    .description('experiments, of one agent or of all; newest first')
    .argument('[agent]', 'registered agent')
    .action(async (agent: string | undefined) => {
      const { experiments } = await context.withAdmin((admin) => admin.listExperiments({ agent: agent ?? '' }));
      const { experimentJson, experimentTable } = await import('../adapter-view.ts');
      context.print(experiments.map(experimentJson), () => experimentTable(experiments, Date.now()));
    });
  experiment
    .command('show')
    .description('one experiment: its counts, its evidence, how it ended')
    .argument('<id>', 'experiment')
    .action((id: string) => show(context, (admin) => admin.getExperiment({ id })));
  registerEnds(experiment, context);
}

function registerEnds(experiment: Command, context: CliContext): void {
  experiment
    .command('decide')
    .description('end an experiment whatever its evidence says')
    .argument('<id>', 'experiment')
    .option('--promote', 'the candidate becomes live')
    .option('--rollback', 'the candidate is retired')
    .option('--reason <text>', 'why, for those who ask later')
    .action(
      async (id: string, { promote, rollback, reason = '' }: { promote?: boolean; rollback?: boolean; reason?: string }) => {
        if ((promote === true) === (rollback === true))
          throw new MillraceError('invalid_argument', 'Give --promote or --rollback.', { field: '--promote' });
        const { ExperimentChoice } = await import('../../../src/gen/millrace/v1/adapters_pb.ts');
        const choice = promote === true ? ExperimentChoice.PROMOTE : ExperimentChoice.ROLL_BACK;
        await show(
          context,
          (admin) => admin.decideExperiment({ id, choice, reason }),
          promote === true ? 'promoted' : 'rolled back',
        );
      },
    );
  experiment
    .command('stop')
    .description('end an experiment; the live policy stays')
    .argument('<id>', 'experiment')
    .option('--reason <text>', 'why, for those who ask later')
    .action((id: string, { reason = '' }: { reason?: string }) =>
      show(context, (admin) => admin.stopExperiment({ id, reason }), 'stopped'),
    );
}

function fraction(text: string | undefined, flag: string): number {
  if (text === undefined) return 0;
  const value = Number(text);
  if (/^(0?\.\d+|\d+(\.\d+)?(e-\d+)?)$/.test(text) && value > 0 && value < 1) return value;
  throw new MillraceError('invalid_argument', `${flag}: got "${text}", expected a number above 0 and below 1.`, { field: flag });
}

/** Prints the experiment that a call answers with: all of it, or what became of it in a word. */
async function show(
  context: CliContext,
  call: (admin: AdminClient) => Promise<{ experiment?: Experiment | undefined }>,
  word?: string,
): Promise<void> {
  const { experiment } = await context.withAdmin(call);
  if (!experiment)
    throw new MillraceError('internal', 'The server has answered without an experiment; is it of another version?');
  const { experimentJson, describeExperiment } = await import('../adapter-view.ts');
  context.print(experimentJson(experiment), () =>
    word === undefined ? describeExperiment(experiment) : `experiment ${experiment.id} is ${word}\n`,
  );
}
