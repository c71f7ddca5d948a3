import { MillraceError } from '../../../src/errors.ts';
import type { Adapter, AdapterMetrics } from '../../../src/jobs/adapters/registry.ts';
import { bestCheckpoint } from '../../../src/jobs/kept-checkpoints.ts';
import type { CheckpointRecord, JobRecord } from '../../../src/jobs/record.ts';
import { successRate } from '../../../src/jobs/success-rate.ts';
import type { AgentRecord } from '../../jobs/agents.ts';
import type { ServingContext } from './context.ts';

/** What is to be published. */
interface Publication {
  agent: AgentRecord;
  /** `<job>@<version>`, or `<job>` for the best that is kept. */
  version: string;
  owner: string;
}

/**
 * A version of a job as it is published. Its checkpoint is marked in the job's record, so that it stays.
 * @throws MillraceError `invalid_argument`, `not_found` or `failed_precondition` with field `version`
 */
export async function adapterOf(
  context: Pick<ServingContext, 'jobs' | 'bundledFlow' | 'clock'>,
  { agent, version: wanted, owner }: Publication,
): Promise<Omit<Adapter, 'status'>> {
  const match = /^([a-z0-9][a-z0-9-]{0,39})(?:@(\d{1,9}))?$/.exec(wanted);
  if (match === null)
    throw wrong('invalid_argument', `${JSON.stringify(wanted.slice(0, 80))} is neither <job> nor <job>@<version>.`);
  const [, job, number] = match;
  const found = (await context.jobs.fetch(job!))?.record;
  if (found === undefined) throw wrong('not_found', `There is no job "${job}". \`millrace job list\` shows the jobs.`);
  await checkFlow(context, found, agent);
  const { version } = chosen(found, number === undefined ? undefined : Number(number));
  const { record } = await context.jobs.update(job!, (newest) => {
    const checkpoint = chosen(newest, version);
    if (checkpoint.published === true) return undefined;
    const checkpoints = newest.checkpoints.map((one) => (one === checkpoint ? { ...one, published: true as const } : one));
    return { ...newest, checkpoints };
  });
  const now = Math.round(context.clock.now());
  const [validation, test] = ['trained', 'test-trained'].map((name) => metricsOf(record, name, version));
  return {
    ...{ name: `${job}@${version}`, job: job!, version, checkpoint: chosen(record, version).digest, owner },
    parent: record.forked === undefined ? (record.from ?? '') : `${record.forked.job}@${record.forked.version}`,
    ...(record.code !== undefined && { code: record.code }),
    ...(validation && { validation }),
    ...(test && { test }),
    ...{ publishedAt: now, updatedAt: now },
  };
}

/** Tasks of the agent are for its flow, whatever code it had when the policy was trained. */
async function checkFlow(
  { bundledFlow }: Pick<ServingContext, 'bundledFlow'>,
  job: JobRecord,
  agent: AgentRecord,
): Promise<void> {
  if (job.agent === agent.name || job.code === undefined || job.code === agent.bundle) return;
  const { flow } = await bundledFlow(job.code);
  if (flow === agent.flow) return;
  throw wrong('failed_precondition', `Job "${job.id}" runs flow "${flow}", and agent "${agent.name}" flow "${agent.flow}".`);
}

function chosen(job: JobRecord, version: number | undefined): CheckpointRecord {
  const wanted = version ?? bestCheckpoint(job)?.version ?? job.checkpoints.at(-1)?.version;
  const found = job.checkpoints.find((checkpoint) => checkpoint.version === wanted);
  if (found !== undefined) return found;
  const kept = job.checkpoints.map((checkpoint) => checkpoint.version).join(', ');
  const which = version === undefined ? 'no checkpoint' : `no checkpoint of version ${version}`;
  throw wrong('not_found', `Job "${job.id}" has ${which}${kept === '' ? ' yet' : `; kept are ${kept}`}.`);
}

function metricsOf({ evaluations }: JobRecord, name: string, version: number): AdapterMetrics | undefined {
  const found = evaluations.findLast((evaluation) => evaluation.name === name && evaluation.policyVersion === version);
  if (found === undefined) return undefined;
  const { success, ci95, judged } = successRate(found);
  const { meanReward, meanSteps } = found;
  return { tasks: judged, success, low: ci95[0], high: ci95[1], meanReward, meanSteps };
}

function wrong(code: 'invalid_argument' | 'not_found' | 'failed_precondition', message: string): MillraceError {
  return new MillraceError(code, message, { field: 'version' });
}
