import { constants } from 'node:fs';
import { access, stat, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { loadTuneConfig, type LoadedTune } from '../../src/tune/settings.ts';
import { MillraceError } from '../../src/errors.ts';
import { JobState } from '../../src/gen/millrace/v1/admin_pb.ts';
import { bestTrial, failuresInARow, MAX_FAILURES, nextValues, objectiveOf, type Trial } from '../../src/tune/search.ts';
import { REAL_PORTS } from '../jobs/real-ports.ts';
import { loadJobRuntime } from '../jobs/runtime.ts';
import { taskPlan } from '../jobs/tasks.ts';
import type { CliContext } from './context.ts';
import { clusterSettings, type EmbeddedFlags } from './cluster-settings.ts';
import { startCluster } from './embedded.ts';
import { EXIT } from './errors.ts';
import { pauseJob } from './pause-job.ts';
import { newNotices } from './new-notices.ts';
import { createProgressPrinter } from './progress-printer.ts';
import { progressOf } from './progress.ts';
import { trialLine, tuneResult, tuneText, valuesText, type TuneResult } from './tune/report.ts';
import { checkUnchanged, readState, setAside, statePath, writeState, type SearchState } from './tune/state-file.ts';
import { capacityOf, runTrial, trialConfig } from './tune/trial.ts';

/** Options of `millrace tune`. */
export interface TuneFlags extends EmbeddedFlags {
  data?: string;
  resume?: boolean;
  json?: string;
}

/** Searches for a job's settings on a cluster of its own, from start to report. Returns the exit code. */
export async function tune(file: string, flags: TuneFlags, context: CliContext): Promise<number> {
  const begun = performance.now();
  void context.json; // A wrong format is told before anything is done.
  const settings = clusterSettings(context, flags);
  const output = flags.json === undefined ? undefined : await writable(resolve(context.cwd, flags.json));
  const loaded = loadTuneConfig(file, {
    env: context.env,
    overrides: flags.set ?? [],
    flags: { data: flags.data },
    cwd: context.cwd,
  });
  const { plan, job } = loaded;
  const runtime = await loadJobRuntime(job, REAL_PORTS);
  const { validation } = await taskPlan(runtime, await runtime.tasks());
  if (validation.length === 0)
    throw new MillraceError('invalid_argument', 'No task is held out, so that trials cannot be compared.', {
      field: 'split.heldOut',
    });
  const path = statePath(settings.stateDir, file, job.name);
  const search = await openSearch(path, flags.resume === true, loaded, context);
  const report = async (state: TuneResult['state']): Promise<void> => {
    const result = tuneResult(job.name, plan, search.trials, { state, seconds: (performance.now() - begun) / 1000 });
    context.print(result, () => tuneText(result));
    if (output !== undefined) await writeFile(output, `${JSON.stringify(result, null, 2)}\n`);
  };
  if (search.trials.length >= plan.trials) {
    await report('finished');
    return EXIT.ok;
  }
  const cluster = await startCluster(context, settings);
  try {
    await pauseOthers(search, context);
    context.note(`${job.name}: ${plan.trials} trials, ${validation.length} validation tasks; state in ${cluster.stateDir}`);
    const state = await Promise.race([
      runTrials(search, path, loaded, context),
      cluster.failed.then((error) => Promise.reject(error)),
    ]);
    await report(state);
    return state === 'failed' ? EXIT.failure : EXIT.ok;
  } catch (error) {
    if (!context.signal.aborted) {
      context.note(`the search is not finished; \`millrace tune ${file} --resume\` continues it`);
      throw error;
    }
    await pauseCurrent(search, file, context);
    await report('interrupted');
    return EXIT.interrupted;
  } finally {
    await cluster.stop();
  }
}

/** The search that goes on, or a new one. */
async function openSearch(path: string, resume: boolean, { plan, job }: LoadedTune, context: CliContext): Promise<SearchState> {
  if (resume) {
    const state = await readState(path);
    if (state === undefined) {
      throw new MillraceError('not_found', `There is no search to go on with: no ${path}. Start one without --resume.`);
    }
    checkUnchanged(state, plan, job);
    context.note(`going on after trial ${state.trials.length} of ${plan.trials}`);
    return { ...state, plan };
  }
  const before = await setAside(path);
  if (before !== undefined) context.note(`the search before is kept in ${before}`);
  return { format: 1, id: (Date.now() % 36 ** 5).toString(36), plan, job, trials: [] };
}

async function runTrials(
  search: SearchState,
  path: string,
  { plan, job, own, jobWith }: LoadedTune,
  context: CliContext,
): Promise<TuneResult['state']> {
  const capacity = capacityOf(plan, job);
  const feasible = (values: Trial['values']): boolean => {
    try {
      jobWith(values);
      return true;
    } catch {
      return false;
    }
  };
  while (search.trials.length < plan.trials) {
    if (search.current === undefined) {
      const values = nextValues(plan, search.trials, own, feasible);
      if (values === undefined) return 'exhausted';
      const number = search.trials.length + 1;
      search.current = { number, job: `${job.name.slice(0, 24)}-tune-${search.id}-${number}`, values };
      await writeState(path, search);
    }
    const { current } = search;
    context.note(`trial ${current.number}/${plan.trials} · ${valuesText(current.values)}`);
    // Only a terminal gets the rounds, on one line; elsewhere a line a trial is enough.
    const printer = context.stderr.isTTY === true ? createProgressPrinter(context.stderr) : undefined;
    if (printer) context.progress = printer;
    try {
      const config = trialConfig(plan, jobWith(current.values));
      const noticesOf = newNotices();
      const onJob = (running: Parameters<typeof progressOf>[0]): void => {
        for (const line of noticesOf(running)) context.note(line);
        printer?.update(progressOf(running));
      };
      search.trials.push(await runTrial({ plan, before: search.trials, current, config, capacity, context, onJob }));
    } finally {
      printer?.end();
    }
    delete search.current;
    await writeState(path, search);
    context.note(`${trialLine(search.trials.at(-1)!, plan)}${bestSoFar(search)}`);
    if (failuresInARow(search.trials) >= MAX_FAILURES) return 'failed';
  }
  return 'finished';
}

function bestSoFar({ plan, trials }: SearchState): string {
  const best = bestTrial(trials);
  const value = best && objectiveOf(plan.objective, best);
  if (best === undefined || value === undefined) return '';
  const text = plan.objective.kind === 'held-out-success' ? `${(100 * value).toFixed(1)} %` : value.toLocaleString('en');
  return ` · best ${text} (trial ${best.number})`;
}

/** Another job of the folder would take the workers' time: one that runs waits, and says how to go on with it. */
async function pauseOthers(search: SearchState, context: CliContext): Promise<void> {
  await context.withAdmin(async (admin) => {
    const others = (await admin.listJobs({ pageSize: 1000 })).jobs.filter(({ id }) => id !== search.current?.job);
    for (const { id } of others.filter(({ state }) => state === JobState.RUNNING)) {
      await admin.pauseJob({ jobId: id });
      context.note(`job ${id} was not finished and is paused; \`millrace train --resume\` continues it`);
    }
    const queued = others.filter(({ state }) => state === JobState.QUEUED).map(({ id }) => id);
    if (queued.length > 0)
      context.note(`${queued.join(', ')} was queued before and runs first; \`millrace job cancel\` drops it`);
  });
}

async function pauseCurrent({ current }: SearchState, file: string, context: CliContext): Promise<void> {
  const goOn = `\`millrace tune ${file} --resume\` goes on`;
  if (current === undefined) return context.note(`interrupted; ${goOn}`);
  context.note(`trial ${current.number} ${await pauseJob(current.job, context)}; ${goOn}`);
}

/** Told now rather than after the search. */
async function writable(path: string): Promise<string> {
  try {
    await access(dirname(path), constants.W_OK);
    if ((await stat(path).catch(() => undefined))?.isDirectory()) throw Object.assign(new Error(), { code: 'EISDIR' });
    return path;
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    throw new MillraceError('invalid_argument', `${path} cannot be written (${code}).`, { cause, field: '--json' });
  }
}
