import { toJson } from '@bufbuild/protobuf';
import { ScheduleSchema, type Schedule } from '../../src/gen/millrace/v1/schedules_pb.ts';
import { ago, oneLine, timestamp } from './format.ts';
import { fields, table } from './table.ts';

/** A schedule as JSON: the fields of schedules.proto in lowerCamelCase, with `config` in place of its JSON text. */
export function scheduleJson(schedule: Schedule): Record<string, unknown> {
  const { configJson, ...rest } = toJson(ScheduleSchema, schedule, { alwaysEmitImplicit: true }) as Record<string, unknown>;
  return { ...rest, config: JSON.parse(configJson as string) as unknown };
}

/** When it creates a job, in words. */
function trigger({ cron, timeZone, afterTrajectories, afterInteractions }: Schedule): string {
  if (cron !== '') return `${cron} (${timeZone})`;
  return afterTrajectories > 0 ? `${afterTrajectories} trajectories` : `${afterInteractions} interactions`;
}

/** One line a schedule. */
export function scheduleTable(schedules: readonly Schedule[], now: number): string {
  const rows = schedules.map((schedule) => {
    const { name, paused, nextTime, runs, jobs, error, errorTime } = schedule;
    const next = paused ? 'paused' : nextTime ? timestamp(nextTime) : 'when they have come';
    const last = error === '' ? (jobs.at(-1) ?? '–') : `failed ${ago(errorTime, now)}: ${oneLine(error)}`;
    return [name, trigger(schedule), next, String(runs), last];
  });
  return table(['SCHEDULE', 'EACH', 'NEXT', 'RUNS', 'LAST JOB'], rows, { right: [3], maxCell: 80 });
}

/** Everything about one schedule, for people. */
export function describeSchedule(schedule: Schedule): string {
  const { name, paused, createTime, nextTime, runs, jobs, error, errorTime, owner, priority, fromLatest } = schedule;
  return fields([
    ['schedule', name],
    ['a job each', trigger(schedule)],
    ['state', paused ? 'paused' : 'active'],
    ['next', nextTime ? timestamp(nextTime) : ''],
    ['starts from', fromLatest ? 'the newest weights of the job before' : 'weights drawn from the seed'],
    ['owner', owner],
    ['priority', priority === 0 ? '' : String(priority)],
    ['created', timestamp(createTime)],
    ['runs', String(runs)],
    ['jobs', jobs.join(' ')],
    ['last error', error === '' ? '' : `${oneLine(error)} (${timestamp(errorTime)})`],
  ]);
}
