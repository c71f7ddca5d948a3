import { resolve } from 'node:path';
import { loadCheckpoint } from '../../src/checkpoint/load.ts';
import { systemClock } from '../../src/clock/system.ts';
import { initCompute } from '../../src/compute/backend.ts';
import { loadClusterConfig } from '../../src/config/cluster.ts';
import { MillraceError } from '../../src/errors.ts';
import { fixedPolicy } from '../../src/flow/policies.ts';
import { MicroBatcher } from '../../src/policy/inference/micro-batcher.ts';
import { compareOutcomes } from '../../src/jobs/evaluation/compared.ts';
import type { EvaluationRecord } from '../../src/jobs/record.ts';
import type { Parameters } from '../../src/policy/policy.ts';
import type { PolicySpec, SpecDifference } from '../../src/policy/kind.ts';
import { actorOf } from '../../src/policy/registry.ts';
import type { JobRuntime } from '../jobs/runtime.ts';
import type { CliContext } from './context.ts';
import { EXIT } from './errors.ts';
import { runTasks, type EvalRun } from './eval-run.ts';
import { openEvalSource, type EvalSource } from './eval-source.ts';
import { evalSummary } from './eval-summary.ts';
import { evalTasks } from './eval-tasks.ts';
import { waitingRetryGate } from './waiting-retry-gate.ts';
import { wholeNumber } from './whole-number.ts';

/** Options of `millrace eval`. */
export interface EvalFlags {
  checkpoint: string;
  tasks?: string;
  data?: string;
  set?: string[];
  /** Tasks at the same time, 1 to 1024. */
  concurrency: string;
  /** Tasks that may fail for infrastructure reasons. */
  allowFailed: string;
  /** Held-out tasks: `validation` or `test`. */
  taskSet: string;
  /** Flows a task, 1 to 64. */
  samples: string;
  /** A checkpoint to compare with, or `untrained`. */
  against?: string;
}

/**
 * Runs tasks through a checkpoint. Needs no cluster: the same flow runtime, reward and policy, in this process. The exit code
 * is 1 when more tasks than allowed could not be judged.
 */
export async function evaluate(file: string | undefined, flags: EvalFlags, context: CliContext): Promise<void> {
  keepStdoutForResults();
  const source = await openEvalSource(file, flags, context);
  try {
    await evaluateWith(source, flags, context);
  } finally {
    await source.close();
  }
}

async function evaluateWith(source: EvalSource, flags: EvalFlags, context: CliContext): Promise<void> {
  const { cwd, env, signal, stdout } = context;
  const { runtime, code } = source;
  const concurrency = wholeNumber(flags.concurrency, '--concurrency', 1, 1024);
  const allowFailed = wholeNumber(flags.allowFailed, '--allow-failed', 0, 1_000_000);
  const samples = wholeNumber(flags.samples, '--samples', 1, 64);
  const taskSet = taskSetOf(flags.taskSet);
  if (flags.against !== undefined && samples > 1)
    throw new MillraceError('invalid_argument', 'Sampled flows are not compared: leave out --samples or --against.', {
      field: '--against',
    });
  const folder = resolve(cwd, flags.checkpoint);
  const ours = await weightsOf(runtime, folder);
  const theirs = flags.against === undefined ? undefined : await weightsOf(runtime, baselineFolder(flags.against, cwd));
  const retrier = waitingRetryGate(context);
  const file = flags.tasks === undefined ? undefined : resolve(cwd, flags.tasks);
  const given = await evalTasks(runtime, file, { taskSet, retrier, signal });
  await initCompute({ preferred: loadClusterConfig({ env, cwd }).config.compute.backend });
  const write = (line: object): void => void stdout.write(`${JSON.stringify(line)}\n`);
  const common = { ...given, ...{ source, concurrency, retrier, signal, samples } };
  const result = await runWeights(runtime, ours, { ...common, onResult: write });
  const baseline = theirs && (await runWeights(runtime, theirs, { ...common, onResult: () => undefined }));
  const comparison = baseline && compareOutcomes(result, baseline);
  const against = comparison && { checkpoint: flags.against!, ...comparison };
  const summary = evalSummary(result, { tasks: given.tasks.length, checkpoint: folder, code, against });
  write({ summary });
  reportFailures(summary, allowFailed, context);
}

function taskSetOf(text: string): 'validation' | 'test' {
  if (text === 'validation' || text === 'test') return text;
  throw new MillraceError('invalid_argument', `--task-set: got "${text}", expected validation or test.`, { field: '--task-set' });
}

/** Weights to act by, and the version that they are. */
interface EvaluatedWeights {
  spec: PolicySpec;
  values: Float32Array;
  version: number;
}

function baselineFolder(against: string, cwd: string): string | undefined {
  return against === 'untrained' ? undefined : resolve(cwd, against);
}

/** Those of a checkpoint; without a folder those that the job begins with. */
async function weightsOf(runtime: JobRuntime, folder: string | undefined): Promise<EvaluatedWeights> {
  if (folder === undefined) {
    const { values } = runtime.kind.initial(runtime.spec) as Parameters;
    return { spec: runtime.spec, values, version: 0 };
  }
  const { spec, parameters, meta } = await loadCheckpoint(folder, { kinds: runtime.kinds });
  checkFits(runtime, spec);
  return { spec, values: parameters.values, version: Number(meta['version'] ?? 0) };
}

async function runWeights(
  runtime: JobRuntime,
  { spec, values, version }: EvaluatedWeights,
  run: Omit<EvalRun, 'policy' | 'version'>,
): Promise<EvaluationRecord> {
  const actor = await actorOf(runtime.kinds.of(spec), spec, runtime.outline);
  const policy = actor.policy();
  policy.load(values);
  const inference = new MicroBatcher({ clock: systemClock });
  return runTasks({ ...run, version, policy: { source: fixedPolicy(policy, version), actor, inference } }).finally(() =>
    policy.dispose(),
  );
}

/** Says which tasks could not be judged; more than allowed make the exit code 1. */
function reportFailures(
  { failed, tasks, incomplete, judgement }: ReturnType<typeof evalSummary>,
  allowFailed: number,
  context: CliContext,
): void {
  if (failed === 0) return;
  context.note(`${incomplete ? 'INCOMPLETE: ' : ''}${judgement}; the field failure of a task's line says what went wrong`);
  if (failed <= allowFailed) return;
  context.note(`error: ${failed} of ${tasks} tasks failed for infrastructure reasons (--allow-failed ${allowFailed})`);
  context.exitCode = EXIT.failure;
}

/** What a flow's code prints goes to stderr, until the process ends: stdout is read by programs. */
function keepStdoutForResults(): void {
  const error = console.error.bind(console);
  Object.assign(console, { log: error, info: error, debug: error });
}

/** A checkpoint of another flow, or of this flow with other tools or features, would give numbers that mean nothing. */
function checkFits({ kinds, outline }: JobRuntime, checkpoint: PolicySpec): void {
  const different = kinds.of(checkpoint).misfit(outline, checkpoint) as SpecDifference | undefined;
  if (different === undefined) return;
  const { field, first, second } = different;
  throw new MillraceError('failed_precondition', `The checkpoint is for the ${field} ${second}; the flow has ${first}.`, {
    field: '--checkpoint',
  });
}
