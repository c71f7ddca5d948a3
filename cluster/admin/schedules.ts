import type { MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { Bus } from '../../src/bus/bus.ts';
import type { Clock } from '../../src/clock/clock.ts';
import { checkJobPaths, parseJobConfig } from '../../src/config/load.ts';
import { MillraceError } from '../../src/errors.ts';
import type { Schedule as ScheduleMessage, ScheduleSchema } from '../../src/gen/millrace/v1/schedules_pb.ts';
import {
  checkCron,
  nextTick,
  pausedSchedule,
  SCHEDULE_NAME,
  type Schedule,
  type Trigger,
} from '../../src/jobs/schedules/schedule.ts';
import { ScheduleDirectory } from '../jobs/schedules.ts';
import { checkOwner, checkPriority } from './validation.ts';

type View = MessageInitShape<typeof ScheduleSchema>;

/** The part of the admin API about schedules. */
export interface Schedules {
  createSchedule(request: { schedule?: ScheduleMessage | undefined }): Promise<{ schedule: View }>;
  getSchedule(request: { name: string }): Promise<{ schedule: View }>;
  listSchedules(): Promise<{ schedules: View[] }>;
  pauseSchedule(request: { name: string }): Promise<{ schedule: View }>;
  resumeSchedule(request: { name: string }): Promise<{ schedule: View }>;
  deleteSchedule(request: { name: string }): Promise<object>;
}

/** Schedules over the bus; any coordinator answers, one runs them. */
export function schedulesApi(bus: Bus, clock: Pick<Clock, 'now'>): Schedules {
  const directory = new ScheduleDirectory(bus);
  const view = (schedule: Schedule): View => viewOf(schedule, clock.now());
  const setPaused = async (name: string, paused: boolean) => ({
    schedule: view(await directory.update(checkName(name), (schedule) => pausedSchedule(schedule, paused, clock.now()))),
  });
  return {
    async createSchedule({ schedule: given }) {
      if (given === undefined) throw invalid('schedule', 'is missing');
      const created = scheduleOf(given, Math.round(clock.now()));
      await directory.create(created);
      return { schedule: view(created) };
    },
    getSchedule: async ({ name }) => ({ schedule: view(await directory.get(checkName(name))) }),
    listSchedules: async () => ({ schedules: (await directory.list()).map(view) }),
    pauseSchedule: ({ name }) => setPaused(name, true),
    resumeSchedule: ({ name }) => setPaused(name, false),
    async deleteSchedule({ name }) {
      await directory.delete(checkName(name));
      return {};
    },
  };
}

function scheduleOf(given: ScheduleMessage, now: number): Schedule {
  const config = parseJobConfig(given.configJson);
  checkJobPaths(config);
  return {
    ...{ format: 1, name: checkName(given.name), trigger: triggerOf(given), config },
    ...{ owner: checkOwner(given.owner), priority: checkPriority(given.priority) ?? 0 },
    ...{ fromLatest: given.fromLatest, paused: given.paused, createdAt: now, seenUntil: now, runs: 0, jobs: [] },
  };
}

function triggerOf({ cron, timeZone, afterTrajectories, afterInteractions }: ScheduleMessage): Trigger {
  const given = [cron !== '', afterTrajectories > 0, afterInteractions > 0].filter(Boolean).length;
  if (given !== 1) throw invalid('cron', `expected one of cron, after_trajectories and after_interactions, got ${given}`);
  if (cron !== '') {
    checkCron(cron, timeZone || 'UTC');
    return { kind: 'cron', cron, timeZone: timeZone || 'UTC' };
  }
  if (timeZone !== '') throw invalid('time_zone', 'goes with cron only');
  return afterTrajectories > 0
    ? { kind: 'trajectories', count: afterTrajectories }
    : { kind: 'interactions', count: afterInteractions };
}

function viewOf(schedule: Schedule, now: number): View {
  const { name, trigger, config, owner = '', priority, fromLatest, paused, createdAt, runs, jobs, error } = schedule;
  const next = paused ? undefined : nextTick(schedule, now);
  return {
    ...{ name, configJson: JSON.stringify(config), owner, priority, fromLatest, paused, runs, jobs },
    ...(trigger.kind === 'cron' && { cron: trigger.cron, timeZone: trigger.timeZone }),
    ...(trigger.kind === 'trajectories' && { afterTrajectories: trigger.count }),
    ...(trigger.kind === 'interactions' && { afterInteractions: trigger.count }),
    createTime: timestampFromMs(createdAt),
    ...(next !== undefined && { nextTime: timestampFromMs(next) }),
    ...(error && { error: error.message, errorTime: timestampFromMs(error.at) }),
  };
}

function checkName(name: string): string {
  if (SCHEDULE_NAME.test(name)) return name;
  throw invalid('name', `got ${JSON.stringify(name.slice(0, 60))}, expected 1 to 24 lower-case letters, digits and "-"`);
}

function invalid(field: string, message: string): MillraceError {
  return new MillraceError('invalid_argument', message, { field });
}
