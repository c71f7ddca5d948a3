import { Breaker } from '../../src/flow/breaker.ts';
import type { HoldProgress } from '../../src/protocol/progress.ts';
import { seededRandom } from '../../src/random/seeded.ts';
import { LoadLater } from '../../src/tasks/load-later.ts';
import type { JobContext } from '../jobs/context.ts';
import { ADMISSION_HELD } from './notice.ts';
import { viewOf } from './reports.ts';

/** While it waits it looks this often whether it still should. */
const POLL_MS = 1_000;

/** Options of {@link loadWithRetries}. */
interface RetryOptions {
  signal: AbortSignal;
  /** Told what is waited for, once a second; undefined when loading goes on. */
  onWait?: (hold: HoldProgress | undefined) => void;
  /** Whether there is still a point in it. Default: always. */
  goesOn?: () => boolean;
}

/**
 * Loads something of a job, again after each {@link LoadLater}: after the wait that was asked for or a growing back-off. Meanwhile the job has
 * the notice `ADMISSION_HELD`.
 * @returns undefined when `goesOn` says that nobody needs it any more
 */
export async function loadWithRetries<R>(
  { clock, notices, id: node }: Pick<JobContext, 'clock' | 'notices' | 'id'>,
  job: string,
  load: () => Promise<R>,
  { signal, onWait = () => undefined, goesOn = () => true }: RetryOptions,
): Promise<R | undefined> {
  const breaker = new Breaker(seededRandom(`load/${job}/${node}`));
  let noticed: string | undefined;
  try {
    for (;;) {
      try {
        return await load();
      } catch (thrown) {
        if (!(thrown instanceof LoadLater)) throw thrown;
        breaker.trip(thrown.retry, clock.monotonic());
        const { source, reason } = thrown.retry;
        noticed = source;
        await notices.report(job, {
          code: ADMISSION_HELD,
          subject: source,
          message: `${source} asked to be called later (${reason}): the job waits until it can be loaded`,
        });
      }
      const hold = breaker.hold!;
      for (let left = 1; left > 0;) {
        if (!goesOn()) return undefined;
        onWait({ ...viewOf(hold, clock), now: Math.round(clock.now()), held: 0, waiting: 0 });
        await clock.sleep(Math.min(POLL_MS, Math.max(1, hold.until - clock.monotonic())), signal);
        left = hold.until - clock.monotonic();
      }
      onWait(undefined);
    }
  } finally {
    if (noticed !== undefined && !signal.aborted) await notices.resolve(job, ADMISSION_HELD, noticed);
  }
}
