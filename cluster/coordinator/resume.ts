import { existsSync } from 'node:fs';
import { wordsOf } from '../../src/algo/schema/issue-words.ts';
import { MillraceError } from '../../src/errors.ts';
import { storedJobConfigSchema } from '../../src/config/stored-job.ts';
import { acceptedOnResume, checkLedger, emptyLedger } from '../../src/jobs/ledger.ts';
import { storedConfig } from '../../src/jobs/record-codec.ts';
import type { JobRecord } from '../../src/jobs/record.ts';
import type { NodeContext } from '../runtime/context.ts';
import { parameterCount } from '../../src/policy/policy.ts';
import type { JobRuntime } from '../jobs/runtime.ts';

/** How long a resume waits for what is left of a job's end: it takes a moment. */
const SETTLE_MS = 10_000;

/**
 * Throws unless a failed job can go on from its last committed version, with the code and data that its files hold now: what made it fail may have
 * been mended there. `unavailable` while its end is still being worked off,
 * `failed_precondition` with what is missing when its state is not whole or its flow does not fit it any more.
 *
 * @returns what changes in the record of a failed job that goes on; nothing for any other
 */
export async function checkResumable(context: NodeContext, id: string): Promise<Pick<JobRecord, 'code'> | undefined> {
  const record = await untilSettled(context, id);
  if (record?.state !== 'FAILED') return undefined;
  const config = storedJobConfigSchema.safeParse(storedConfig(record.config));
  if (!config.success)
    throw cannot(
      record,
      `its configuration is not one of this version (${config.error.issues[0]!.path.join('.')}: expected ${wordsOf(config.error.issues[0]!)})`,
    );
  const { code, runtime } = await bundledAgain(context, record).catch((thrown: unknown) => {
    throw cannot(record, `its flow cannot be loaded: ${MillraceError.from(thrown).message}`);
  });
  const latest = await context.weights.latest(id);
  if (latest === undefined) {
    // It failed before it had sent anything.
    if (record.accepted === 0) return code;
    throw cannot(record, 'JetStream holds no version of its weights');
  }
  const { manifest } = latest;
  try {
    const ledger = manifest.ledger ?? emptyLedger();
    checkLedger(ledger, acceptedOnResume(ledger, record.accepted));
    await context.weights.fetch(manifest, 'optimizer');
    if (manifest.average) await context.weights.fetch(manifest, 'average');
    const weights = await context.weights.fetch(manifest, 'weights');
    if (weights.byteLength === 4 * parameterCount(runtime.kind.layout(runtime.spec))) return code;
  } catch (thrown) {
    throw cannot(record, `its state at version ${manifest.version} is not whole: ${MillraceError.from(thrown).message}`);
  }
  throw cannot(record, `its flow has changed: the policy has other weights than version ${manifest.version}`);
}

/** The job's code and data as they are now, or its own bundle where its files are not here (any more). */
async function bundledAgain(
  context: NodeContext,
  record: JobRecord,
): Promise<{ code: Pick<JobRecord, 'code'>; runtime: JobRuntime }> {
  const { config, code } = record;
  if (code !== undefined && !existsSync(config.flow)) return { code: {}, runtime: await context.runtimes.get(record) };
  const { runtime, digest } = await context.runtimes.bundle(config);
  return { code: digest === undefined ? {} : { code: digest }, runtime };
}

/** The record once queues and ledger are settled after the job's end. */
async function untilSettled({ clock, jobs }: NodeContext, id: string): Promise<JobRecord | undefined> {
  const deadline = clock.monotonic() + SETTLE_MS;
  for (;;) {
    const record = (await jobs.fetch(id))?.record;
    if (record?.state !== 'FAILED' || record.unsettled.length === 0) return record;
    if (clock.monotonic() >= deadline) {
      const whom = record.unsettled.includes('books') ? 'a parameter server' : 'a coordinator';
      throw new MillraceError(
        'unavailable',
        `The end of job "${id}" is still being worked off by ${whom}; try again in a moment.`,
      );
    }
    await clock.sleep(SETTLE_MS / 50);
  }
}

function cannot({ id, checkpoint }: JobRecord, why: string): MillraceError {
  const instead =
    checkpoint === undefined
      ? ''
      : `; \`millrace job create JOB.YAML --from ${checkpoint}\` starts a new job from its newest checkpoint`;
  return new MillraceError('failed_precondition', `Job "${id}" cannot be resumed: ${why}${instead}.`, { field: 'job_id' });
}
