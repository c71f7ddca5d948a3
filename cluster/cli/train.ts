import type { MessageInitShape } from '@bufbuild/protobuf';
import { constants } from 'node:fs';
import { access, stat, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { JobConfig } from '../../src/config/job.ts';
import { loadJobConfig } from '../../src/config/load.ts';
import { checkDecides } from '../../src/flow/decides.ts';
import { checkReward } from '../../src/reward/check.ts';
import { MillraceError } from '../../src/errors.ts';
import { JobState, type CreateJobRequestSchema, type Job } from '../../src/gen/millrace/v1/admin_pb.ts';
import { formatTable } from '../../src/store/format.ts';
import { namedQuery, type QueryName } from '../../src/store/queries.ts';
import { collectQuery } from '../admin/query-rows.ts';
import { REAL_PORTS } from '../jobs/real-ports.ts';
import { loadJobRuntime } from '../jobs/runtime.ts';
import { heldOutText, taskPlan } from '../jobs/tasks.ts';
import { assumptionsOf, type AssumptionFlags } from '../report/assumptions.ts';
import type { Assumptions } from '../report/value.ts';
import { readProcessUse } from '../report/process-files.ts';
import { buildReport, processUse, type TrainingReport } from '../report/report.ts';
import { reportText, type AnsweredQuery } from '../report/text.ts';
import type { EmbeddedCluster } from '../up/index.ts';
import type { AdminClient } from './admin-client.ts';
import type { CliContext } from './context.ts';
import { createJob } from './create-job.ts';
import { clusterSettings, type EmbeddedFlags } from './cluster-settings.ts';
import { addressesOf, startCluster, workbenchLine } from './embedded.ts';
import { EXIT } from './errors.ts';
import { followJob, isOver } from './follow-job.ts';
import { namedQuerySql } from './named-query.ts';
import { pauseJob } from './pause-job.ts';
import { newNotices } from './new-notices.ts';
import { createProgressPrinter } from './progress-printer.ts';
import { progressOf, stateName } from './progress.ts';
import { sqlExample } from './sql-access.ts';
import { ownerFields, type OwnerFlags } from './owner-options.ts';
import { weightsFrom } from './weights-from.ts';

/** Options of `millrace train`. */
export interface TrainFlags extends EmbeddedFlags, OwnerFlags, AssumptionFlags {
  data?: string;
  resume?: boolean;
  from?: string;
  report?: string;
}

/** The questions the report answers from the store. */
const ANSWERS: QueryName[] = ['success-by-version', 'tool-use', 'time'];
/** How long the report waits for the last rows to arrive in the store. */
const STORE_PATIENCE_MS = 15_000;

/** Runs one job on a cluster of its own, from start to report. Returns the exit code. */
export async function train(file: string | undefined, flags: TrainFlags, context: CliContext): Promise<number> {
  const begun = performance.now();
  void context.json; // A wrong format is told before anything is done.
  if (file === undefined && !flags.resume)
    throw new MillraceError('invalid_argument', 'Give a job file, or --resume.', { field: 'job.yaml' });
  if (flags.resume && flags.from !== undefined)
    throw new MillraceError('invalid_argument', 'A job that goes on has weights: leave out --from or --resume.', {
      field: '--from',
    });
  const owned = ownerFields(flags, context.env);
  const assumptions = assumptionsOf(flags);
  const settings = clusterSettings(context, flags);
  const reportFile = flags.report === undefined ? undefined : await writableFile(resolve(context.cwd, flags.report));
  const config = file === undefined ? undefined : await checkedJob(file, flags, context);
  const cluster = await startCluster(context, settings);
  const printer = createProgressPrinter(context.stderr);
  const noticesOf = newNotices();
  context.progress = printer;
  let running: Job | undefined;
  try {
    running = await context.withAdmin((admin) =>
      flags.resume
        ? resume(admin, config, cluster.stateDir, context)
        : create(admin, config!, { from: weightsFrom(flags.from, context.cwd), ...owned }, context),
    );
    context.note(`job ${running.id}; ${addressesOf(cluster)}; state in ${cluster.stateDir}`);
    for (const line of [sqlExample(cluster), workbenchLine(cluster)]) if (line !== undefined) context.note(line);
    const ended = await Promise.race([
      followJob(running.id, context, (job) => {
        running = job;
        for (const line of noticesOf(job)) printer.note(line);
        printer.update(progressOf(job));
      }),
      cluster.failed.then((error) => Promise.reject(error)),
    ]);
    printer.end();
    if (ended.state !== JobState.SUCCEEDED) {
      context.note(`job ${ended.id} ${stateName(ended.state)}${ended.error === '' ? '' : `: ${ended.error}`}`);
    }
    const report = await makeReport(ended, cluster, context, { begun, assumptions });
    if (reportFile !== undefined) await writeFile(reportFile, `${JSON.stringify(report, null, 2)}\n`);
    return ended.state === JobState.SUCCEEDED ? EXIT.ok : EXIT.failure;
  } catch (error) {
    printer.end();
    if (!context.signal.aborted) {
      if (running && !isOver(running)) context.note(`${running.id} is not finished; \`millrace train --resume\` continues it`);
      throw error;
    }
    if (running) {
      const { id, progress } = running;
      context.note(
        `${id} ${await pauseJob(id, context)} at round ${progress?.round ?? 0}; \`millrace train --resume\` continues it`,
      );
    }
    return EXIT.interrupted;
  } finally {
    await cluster.stop();
  }
}

/** Told now rather than after the training. */
async function writableFile(path: string): Promise<string> {
  try {
    await access(dirname(path), constants.W_OK);
    if ((await stat(path).catch(() => undefined))?.isDirectory()) throw Object.assign(new Error(), { code: 'EISDIR' });
    return path;
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    throw new MillraceError('invalid_argument', `${path} cannot be written (${code}).`, { cause, field: '--report' });
  }
}

/** Reads the job and loads its flow and tasks, so that what is wrong with them is told before anything is started. */
async function checkedJob(file: string, flags: TrainFlags, context: CliContext): Promise<JobConfig> {
  const { config } = loadJobConfig(file, {
    env: context.env,
    overrides: flags.set ?? [],
    flags: { data: flags.data },
    cwd: context.cwd,
  });
  const runtime = await loadJobRuntime(config, REAL_PORTS);
  checkDecides(runtime.flow, runtime.kind);
  await checkReward(config.reward, runtime.flow);
  const plan = await taskPlan(runtime, await runtime.tasks());
  context.note(`${config.name}: ${plan.train.length} training tasks, ${heldOutText(plan)}`);
  return config;
}

type NewJob = Pick<MessageInitShape<typeof CreateJobRequestSchema>, 'from' | 'owner' | 'priority'>;

async function create(admin: AdminClient, config: JobConfig, options: NewJob, context: CliContext): Promise<Job> {
  // A run that was killed may have left its job running: it waits, and says how to go on with it.
  const { jobs } = await admin.listJobs({ pageSize: 1000 });
  for (const { id, state } of jobs) {
    if (state !== JobState.RUNNING) continue;
    await admin.pauseJob({ jobId: id });
    context.note(`job ${id} was interrupted and is paused; \`millrace train --resume\` continues it`);
  }
  const job = await createJob(admin, { configJson: JSON.stringify(config), ...options }, context);
  const before = jobs.filter(({ state }) => state === JobState.QUEUED).map(({ id }) => id);
  if (before.length > 0)
    context.note(`${before.join(', ')} was queued before and runs as well; \`millrace job cancel\` drops it`);
  return job;
}

async function resume(admin: AdminClient, config: JobConfig | undefined, stateDir: string, context: CliContext): Promise<Job> {
  const { jobs } = await admin.listJobs({ pageSize: 1000 });
  const own = jobs.filter(({ configJson }) => !config || (JSON.parse(configJson) as JobConfig).name === config.name);
  const interrupted = own.find(
    ({ state }) => state === JobState.PAUSED || state === JobState.RUNNING || state === JobState.QUEUED,
  );
  // Newest first: one that failed before others succeeded is over.
  const wanted = interrupted ?? (own[0]?.state === JobState.FAILED ? own[0] : undefined);
  if (!wanted) {
    const which = config ? ` of "${config.name}"` : '';
    throw new MillraceError('not_found', `There is no interrupted job${which} in ${stateDir}; start one without --resume.`);
  }
  context.note(`going on with ${wanted.id} from round ${wanted.progress?.round ?? 0} of ${wanted.progress?.roundsTotal ?? 0}`);
  if (wanted.state !== JobState.PAUSED && wanted.state !== JobState.FAILED) return wanted;
  return (await admin.resumeJob({ jobId: wanted.id }, { timeoutMs: 60_000 })).job!;
}

async function makeReport(
  job: Job,
  cluster: EmbeddedCluster,
  context: CliContext,
  { begun, assumptions }: { begun: number; assumptions: Assumptions | undefined },
): Promise<TrainingReport> {
  const { answers, nodes } = await context.withAdmin(async (admin) => {
    await storeHasCaughtUp(admin, job);
    const answered: AnsweredQuery[] = [];
    for (const name of ANSWERS) {
      const result = await collectQuery(
        admin.query({ sql: namedQuerySql(name, job.id), maxRows: 1000 }, { signal: context.signal }),
      );
      const table = formatTable(result, { maxWidth: Math.min(context.stdout.columns ?? 110, 110) });
      answered.push({ title: namedQuery(name).title, command: `npx millrace query ${name} --job ${job.id}`, table });
    }
    return { answers: answered, nodes: (await admin.listNodes({})).nodes };
  });
  const natsPid = cluster.nats()?.pid;
  const nats = natsPid === undefined ? undefined : await readProcessUse('nats-server', natsPid);
  const own = await readProcessUse('supervisor', process.pid);
  const report = buildReport({
    job,
    state: stateName(job.state),
    processes: [...processUse(nodes), ...[nats, own].filter((use) => use !== undefined)],
    totalSeconds: (performance.now() - begun) / 1000,
    assumptions,
  });
  context.print(report, () => reportText(report, answers));
  return report;
}

/** The writer may be a moment behind: waits until the last round's row is there. */
async function storeHasCaughtUp(admin: AdminClient, job: Job): Promise<void> {
  const sql = `SELECT max(version) FROM updates WHERE job = '${job.id}'`;
  const deadline = performance.now() + STORE_PATIENCE_MS;
  while (performance.now() < deadline) {
    const { rows } = await collectQuery(admin.query({ sql, maxRows: 1 }));
    if (Number(rows[0]?.[0] ?? 0) >= (job.progress?.round ?? 0)) return;
    await sleep(200);
  }
}
