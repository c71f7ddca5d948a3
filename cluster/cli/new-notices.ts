import type { Job, JobNotice } from '../../src/gen/millrace/v1/admin_pb.ts';
import { millis, oneLine } from './format.ts';

/** Tells which notices of a followed job are new, so that each is printed once while it lasts and once when it is over. */
export function newNotices(): (job: Job) => string[] {
  const printed = new Map<string, string>();
  return (job) =>
    job.notices.flatMap((notice) => {
      const { code, subject, firstTime, resolveTime } = notice;
      const key = `${code} ${subject}`;
      const state = `${firstTime ? millis(firstTime) : 0}${resolveTime ? ' over' : ''}`;
      if (printed.get(key) === state) return [];
      // A condition that was over before anybody followed the job is history.
      const isHistory = resolveTime !== undefined && !printed.has(key);
      printed.set(key, state);
      return isHistory ? [] : [noticeLine(notice)];
    });
}

/** `ACTOR_RESTARTED trainer: restarted after …`, or that it is over. */
function noticeLine({ code, subject, message, resolveTime }: JobNotice): string {
  const name = subject === '' ? code : `${code} ${oneLine(subject)}`;
  return resolveTime ? `${name}: over` : `${name}: ${oneLine(message)}`;
}
