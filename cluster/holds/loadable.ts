import { MillraceError } from '../../src/errors.ts';
import { CODE_FIELD } from '../../src/flow/bundle/bundle.ts';
import type { JobRecord } from '../../src/jobs/record.ts';
import { isEnded } from '../../src/jobs/state.ts';
import type { JobContext } from '../jobs/context.ts';
import { loadWithRetries } from './load-with-retries.ts';
import type { JobRuntime } from '../jobs/runtime.ts';

/** Code of the notice about a job whose bundle cannot be loaded. */
export const BUNDLE_DAMAGED = 'BUNDLE_DAMAGED';

/** How long a worker waits before it looks again. */
const RETRY_MS = 5_000;

/** Whether a job cannot be loaded because an artifact of its bundle is gone or damaged; it can be put back. */
export function isBundleDamage(error: MillraceError): boolean {
  return error.code === 'unavailable' && error.field === CODE_FIELD;
}

/**
 * The runtime of a job with its tasks loaded, for a worker that has messages of it in hand. While the job's bundle is damaged, or the
 * flow's `load` asks to be called later, the worker keeps the messages and acknowledges none: it reports a notice, and tries again until
 * the runtime is loaded or the job has ended.
 * @returns undefined when the job has ended meanwhile
 */
export async function loadableRuntime(
  context: JobContext,
  { id }: Pick<JobRecord, 'id'>,
  signal: AbortSignal,
): Promise<JobRuntime | undefined> {
  const { runtimes, jobs, notices, clock } = context;
  for (let reported = false; ; reported = true) {
    const record = jobs.get(id)?.record;
    if (!isOpen(record)) return undefined;
    try {
      const runtime = await runtimes.get(record);
      const loaded = await loadWithRetries(context, id, async () => ({ context: await runtime.context() }), {
        signal,
        goesOn: () => isOpen(jobs.get(id)?.record),
      });
      if (loaded === undefined) return undefined;
      if (reported) await notices.resolve(id, BUNDLE_DAMAGED);
      return runtime;
    } catch (thrown) {
      const error = MillraceError.from(thrown);
      if (!isBundleDamage(error)) throw error;
      void notices.report(id, { code: BUNDLE_DAMAGED, message: error.message });
      await clock.sleep(RETRY_MS, signal);
    }
  }
}

function isOpen(record: JobRecord | undefined): record is JobRecord {
  return record !== undefined && !isEnded(record.state);
}
