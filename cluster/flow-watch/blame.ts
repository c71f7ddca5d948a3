import { activityText } from './black-box.ts';
import type { LastActivity, NodeEnd } from '../runtime/node-end.ts';
import type { NoticeReport } from '../../src/jobs/notice.ts';

/** Code of the notice about a flow whose code ended its worker. */
export const WORKER_ENDED = 'WORKER_ENDED';

/** Whose code ended a node, as a notice for the job; undefined when nothing says that it was a flow's. */
export function blame(node: string, { how, outOfMemory, rssBytes, last }: NodeEnd): (NoticeReport & { job: string }) | undefined {
  if (last === undefined || !(last.running || outOfMemory)) return undefined;
  const memory = outOfMemory ? ` for want of memory${rssBytes ? ` (it had ${Math.round(rssBytes / 2 ** 20)} MiB)` : ''}` : '';
  const what = activityText(last);
  const running = last.running ? ` while it ran ${what}` : `; the last that it ran was ${what}`;
  const advice = outOfMemory
    ? 'does it keep what it makes?'
    : 'what the worker had in hand is run again, and given up when it ends the worker each time';
  return {
    job: last.job,
    code: WORKER_ENDED,
    subject: subjectOf(last),
    lasts: false,
    message: `node ${node} ended${memory} (${how})${running}; ${advice}`,
  };
}

/** `tool 'left' on task 'task-7'`: each task that ends a worker has a notice of its own. */
export function subjectOf({ part, task }: Pick<LastActivity, 'part' | 'task'>): string {
  return `${part} on task '${task}'`;
}

/** Whether a notice is about a task, see {@link subjectOf}. */
export function isAbout({ subject }: { subject: string }, task: string): boolean {
  return subject.endsWith(` on task '${task}'`);
}
