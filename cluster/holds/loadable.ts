import { MillraceError } from '../../src/errors.ts';
import { CODE_FIELD } from '../../src/flow/bundle/bundle.ts';
import type { JobRecord } from '../../src/jobs/record.ts';
import { isEnded } from '../../src/jobs/state.ts';
import type { JobContext } from '../jobs/context.ts';
import { loadPatiently } from './load-patiently.ts';
import type { JobRuntime } from '../jobs/runtime.ts';

/** Code of the notice about a job whose code or data is not what it was created with. */
export const CODE_CHANGED = 'CODE_CHANGED';

/** How long a worker waits before it looks again. */
const LOOK_AGAIN_MS = 5_000;

/** Whether a job cannot be loaded because its code or data has changed, which may be put right. */
export function isCodeChange(error: MillraceError): boolean {
  return error.code === 'unavailable' && error.field === CODE_FIELD;
}

/**
 * The runtime of a job with its tasks loaded, for a worker that has work of it in hand. Where code or data is not what the job was
 * created with, or the flow's `load` asks to be called later, the worker steps back and keeps the work: it reports a notice, and looks again until that is put right or the job ends.
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
      const loaded = await loadPatiently(context, id, async () => ({ context: await runtime.context() }), {
        signal,
        goesOn: () => isOpen(jobs.get(id)?.record),
      });
      if (loaded === undefined) return undefined;
      if (reported) await notices.resolve(id, CODE_CHANGED);
      return runtime;
    } catch (thrown) {
      const error = MillraceError.from(thrown);
      if (!isCodeChange(error)) throw error;
      void notices.report(id, { code: CODE_CHANGED, message: error.message });
      await clock.sleep(LOOK_AGAIN_MS, signal);
    }
  }
}

function isOpen(record: JobRecord | undefined): record is JobRecord {
  return record !== undefined && !isEnded(record.state);
}
