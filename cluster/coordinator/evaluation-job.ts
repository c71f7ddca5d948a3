import type { JobConfig } from '../../src/config/job.ts';
import { MillraceError } from '../../src/errors.ts';
import type { NewJob } from '../../src/jobs/record.ts';
import { loadJobRuntime } from '../jobs/runtime.ts';
import type { JobVersion } from '../jobs/weight-source.ts';
import type { NodeContext } from '../runtime/context.ts';
import { storeInitialWeights } from './initial-weights.ts';

/** What the record of a job has that only measures a version of another one. */
type EvaluationJob = Required<Pick<NewJob, 'from' | 'initialCheckpoint' | 'evaluates'>> &
  Pick<NewJob, 'code' | 'queries' | 'agent'>;

/**
 * Prepares a job that measures a version of another job: the same code, data and split, with that version's weights.
 *
 * @param id - of the new job
 * @param config - of the new job: `evaluationConfig` of the other's
 * @throws MillraceError `not_found` when there is no such job, or the version is not kept
 */
export async function evaluationJob(
  context: NodeContext,
  id: string,
  { config, evaluates }: { config: JobConfig; evaluates: JobVersion },
): Promise<EvaluationJob> {
  const parent = (await context.jobs.fetch(evaluates.job))?.record;
  if (parent === undefined) {
    throw new MillraceError('not_found', `There is no job "${evaluates.job}". \`millrace job list\` shows the jobs.`, {
      field: 'job_id',
    });
  }
  const { code, queries, agent } = parent;
  const bundle = code === undefined || !context.bundles ? undefined : await context.outside(context.bundles.open(code));
  const runtime = await loadJobRuntime(config, context, { bundle });
  const { moment, ...initial } = await storeInitialWeights(context, id, runtime, evaluates);
  const version = Number(/@(\d+)$/.exec(initial.from)![1]);
  return { ...initial, code, queries, agent, evaluates: { job: parent.id, version, ...moment } };
}
