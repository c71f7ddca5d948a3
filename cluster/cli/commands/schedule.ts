import type { Command } from 'commander';
import { MillraceError } from '../../../src/errors.ts';
import type { Schedule } from '../../../src/gen/millrace/v1/schedules_pb.ts';
import type { AdminClient } from '../admin-client.ts';
import { confirm, YES } from '../confirm.ts';
import type { CliContext } from '../context.ts';
import { OWNER, ownerFields, PRIORITY_HELP, type OwnerFlags } from '../owner-options.ts';
import { collectOption } from '../repeated-option.ts';
import { wholeNumber } from '../whole-number.ts';

interface CreateFlags extends OwnerFlags {
  cron?: string;
  timeZone?: string;
  afterTrajectories?: string;
  afterInteractions?: string;
  from?: string;
  set?: string[];
  data?: string;
}

/** `millrace schedule …`: jobs by the clock, or when new rows have come. */
export function register(program: Command, context: CliContext): void {
  const schedule = program.command('schedule').description('create jobs by the clock, or when new data has come');
  schedule
    .command('create')
    .description('create a job of this file at each tick')
    .argument('<name>', 'lower-case letters, digits and "-", at most 24')
    .argument('<job.yaml>', 'job file; its flow and data are read anew at each tick')
    .option('--cron <expression>', 'minute, hour, day of the month, month and day of the week, e.g. "0 3 * * *"')
    .option('--time-zone <name>', 'of --cron, e.g. Europe/Berlin (default: UTC)')
    .option('--after-trajectories <count>', 'each time that so many trajectories have come to the store')
    .option('--after-interactions <count>', 'each time that so many interactions have come, e.g. imported ones')
    .option('--from <latest>', 'latest: start from the newest weights of the job before')
    .option('--set <path=value>', 'override a value of the file; may be repeated', collectOption)
    .option('--data <folder or file>', 'task data, in place of that of the file')
    .option('--owner <name>', OWNER)
    .option('--priority <number>', PRIORITY_HELP)
    .action(async (name: string, file: string, options: CreateFlags) => {
      const count = (text: string | undefined, flag: string): number =>
        text === undefined ? 0 : wholeNumber(text, flag, 1, 1e9);
      if (options.from !== undefined && options.from !== 'latest')
        throw new MillraceError('invalid_argument', `got "${options.from}", expected latest.`, { field: '--from' });
      const trigger = {
        ...{ cron: options.cron ?? '', timeZone: options.timeZone ?? '' },
        afterTrajectories: count(options.afterTrajectories, '--after-trajectories'),
        afterInteractions: count(options.afterInteractions, '--after-interactions'),
      };
      const { loadJobConfig } = await import('../../../src/config/load.ts');
      const flags = { data: options.data };
      const { config } = loadJobConfig(file, { env: context.env, overrides: options.set ?? [], flags, cwd: context.cwd });
      const request = { name, ...trigger, configJson: JSON.stringify(config), fromLatest: options.from === 'latest' };
      await show(
        context,
        (admin) => admin.createSchedule({ schedule: { ...request, ...ownerFields(options, context.env) } }),
        'created',
      );
    });
  registerControls(schedule, context);
}

function registerControls(schedule: Command, context: CliContext): void {
  schedule
    .command('list')
    .description('all schedules, by name')
    .action(async () => {
      const { schedules } = await context.withAdmin((admin) => admin.listSchedules({}));
      const { scheduleJson, scheduleTable } = await import('../schedule-view.ts');
      context.print(schedules.map(scheduleJson), () => scheduleTable(schedules, Date.now()));
    });
  schedule
    .command('show')
    .description('one schedule: when it comes next, its jobs, its last error')
    .argument('<name>', 'schedule')
    .action((name: string) => show(context, (admin) => admin.getSchedule({ name })));
  schedule
    .command('pause')
    .description('create no more jobs; ticks meanwhile are not made up for')
    .argument('<name>', 'schedule')
    .action((name: string) => show(context, (admin) => admin.pauseSchedule({ name }), 'paused'));
  schedule
    .command('resume')
    .description('create jobs again, from the next tick on')
    .argument('<name>', 'schedule')
    .action((name: string) => show(context, (admin) => admin.resumeSchedule({ name }), 'active'));
  schedule
    .command('delete')
    .description('delete a schedule; its jobs stay')
    .argument('<name>', 'schedule')
    .option('--yes', YES)
    .action(async (name: string, { yes }: { yes?: boolean }) => {
      await confirm(`Deleting schedule ${name}`, yes, context);
      await context.withAdmin((admin) => admin.deleteSchedule({ name }));
      context.print({ name, deleted: true }, () => `schedule ${name} is deleted\n`);
    });
}

/** Prints the schedule that a call answers with: all of it, or its state in a word. */
async function show(
  context: CliContext,
  call: (admin: AdminClient) => Promise<{ schedule?: Schedule | undefined }>,
  word?: string,
): Promise<void> {
  const { schedule } = await context.withAdmin(call);
  if (!schedule) throw new MillraceError('internal', 'The server has answered without a schedule; is it of another version?');
  const { scheduleJson, describeSchedule } = await import('../schedule-view.ts');
  context.print(scheduleJson(schedule), () =>
    word === undefined ? describeSchedule(schedule) : `schedule ${schedule.name} is ${word}\n`,
  );
}
