import type { MessageInitShape } from '@bufbuild/protobuf';
import type { AdminService } from '../gen/millrace/v1/admin_pb.ts';
import type { Schedule, ScheduleSchema } from '../gen/millrace/v1/schedules_pb.ts';
import type { ServiceClient } from '../rpc/client.ts';
import type { CallOptions } from '../rpc/options.ts';
import { answered } from './answered.ts';

/** What a schedule is created with: see message Schedule in schedules.proto. */
export type NewSchedule = MessageInitShape<typeof ScheduleSchema>;

/** What creates jobs by the clock, or when new rows have come (docs/schedules.md). */
export interface SchedulesClient {
  /** `already_exists` when the name is taken. Flow and data are read at each tick on the coordinator's machine. */
  create(schedule: NewSchedule, options?: CallOptions): Promise<Schedule>;
  /** `not_found` when there is none of that name. */
  get(name: string, options?: CallOptions): Promise<Schedule>;
  /** By name. */
  list(options?: CallOptions): Promise<Schedule[]>;
  /** Ticks create no jobs any more, and are not made up for. */
  pause(name: string, options?: CallOptions): Promise<Schedule>;
  /** Jobs are created again, from the next tick on. */
  resume(name: string, options?: CallOptions): Promise<Schedule>;
  /** Its jobs stay. */
  delete(name: string, options?: CallOptions): Promise<void>;
}

/** The schedules of a cluster. */
export function schedulesClient(admin: ServiceClient<typeof AdminService>): SchedulesClient {
  const one = async (answer: Promise<{ schedule?: Schedule | undefined }>): Promise<Schedule> =>
    answered((await answer).schedule, 'a schedule');
  return {
    create: (schedule, options) => one(admin.createSchedule({ schedule }, options)),
    get: (name, options) => one(admin.getSchedule({ name }, options)),
    list: async (options) => (await admin.listSchedules({}, options)).schedules,
    pause: (name, options) => one(admin.pauseSchedule({ name }, options)),
    resume: (name, options) => one(admin.resumeSchedule({ name }, options)),
    delete: async (name, options) => void (await admin.deleteSchedule({ name }, options)),
  };
}
