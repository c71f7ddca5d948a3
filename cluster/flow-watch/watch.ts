import { currentActivity, observeActivities, type ActivityLabel } from '../../src/clock/activity.ts';
import { describe } from '../../src/flow/failure.ts';
import type { NoticeCode } from '../../src/jobs/notice.ts';
import type { NodeContext } from '../runtime/context.ts';
import { activityText, BlackBox, blackBoxFile } from './black-box.ts';
import type { NodeEnd } from '../runtime/node-end.ts';
import { blame, subjectOf } from './blame.ts';
import { guardExit } from './guard-exit.ts';

/** Codes of the notices about what a flow's code does to the process it runs in. */
const EVENT_LOOP_HELD = 'EVENT_LOOP_HELD';
const PROCESS_EXIT_CALLED = 'PROCESS_EXIT_CALLED';
const UNCAUGHT_ERROR = 'UNCAUGHT_ERROR';

/** What {@link watchFlows} returns. */
export interface FlowWatch {
  /** Says whose code threw an error that nobody caught; resolves when that is written. */
  uncaught(thrown: unknown): Promise<void>;
  close(): void;
}

/**
 * Watches what the code of flows does to this process, and says so in notices of the job: holding the event loop, calling
 * `process.exit` (which throws instead, so that it is an error of that tool), and, after a crash, having been what ran.
 * @param previous - how the process before this one ended
 */
export function watchFlows(
  { id, clock, notices, log, runtimes }: Pick<NodeContext, 'id' | 'clock' | 'notices' | 'log' | 'runtimes'>,
  stateDir: string,
  previous: NodeEnd | undefined,
): FlowWatch {
  const guilty = previous && blame(id, previous);
  if (guilty) void notices.report(guilty.job, guilty);

  let box: BlackBox | undefined;
  try {
    box = new BlackBox(blackBoxFile(stateDir, id), clock);
  } catch (error) {
    log.warn({ err: error }, 'what flows run cannot be noted down: a crash will not be blamed on anyone');
  }
  const report = (label: ActivityLabel, code: NoticeCode, message: string, subject = label.part): Promise<void> =>
    notices.report(label.job, { code, subject, message, lasts: false });

  observeActivities({
    began: (label) => box?.began(label),
    ended: () => box?.ended(),
    held(label, ms) {
      const seconds = (ms / 1000).toFixed(1);
      const advice = 'nothing else in this worker could run: use asynchronous calls, or a worker thread';
      void report(label, EVENT_LOOP_HELD, `${activityText(label)} held the event loop of ${id} for ${seconds} s; ${advice}`);
    },
  });

  const restoreExit = guardExit((label, code) => {
    const advice = 'throw an error instead';
    void report(label, PROCESS_EXIT_CALLED, `${activityText(label)} called process.exit(${code ?? ''}) in ${id}; ${advice}`);
  });

  return {
    async uncaught(thrown) {
      const label = currentActivity()?.label;
      if (label) {
        const message = `${activityText(label)} threw an error that nobody caught, which ended ${id}: ${describe(thrown)}`;
        await report(label, UNCAUGHT_ERROR, message, subjectOf(label));
        return;
      }
      // A callback that came after its tool had answered: the stack still says whose it is.
      const stack = thrown instanceof Error ? (thrown.stack ?? '') : '';
      const message = `code of the flow threw an error that nobody caught, which ended ${id}: ${describe(thrown)}`;
      await Promise.all(
        runtimes.running(stack).map((job) => notices.report(job, { code: UNCAUGHT_ERROR, message, lasts: false })),
      );
    },
    close() {
      observeActivities(undefined);
      restoreExit();
      box?.close();
      box = undefined;
    },
  };
}
