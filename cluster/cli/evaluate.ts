import { resolve } from 'node:path';
import { loadCheckpoint } from '../../src/checkpoint/load.ts';
import { systemClock } from '../../src/clock/system.ts';
import { initCompute } from '../../src/compute/backend.ts';
import { loadClusterConfig } from '../../src/config/cluster.ts';
import { MillraceError } from '../../src/errors.ts';
import { fixedPolicy } from '../../src/flow/policies.ts';
import { MicroBatcher } from '../../src/policy/inference/micro-batcher.ts';
import type { PolicySpec, SpecDifference } from '../../src/policy/kind.ts';
import { actorOf } from '../../src/policy/registry.ts';
import type { JobRuntime } from '../jobs/runtime.ts';
import type { CliContext } from './context.ts';
import { EXIT } from './errors.ts';
import { runTasks } from './eval-run.ts';
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
}

/**
 * Runs tasks greedily through a checkpoint. Needs no cluster: the same flow runtime, reward and policy, in this process. The exit code
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
  const folder = resolve(cwd, flags.checkpoint);
  const checkpoint = await loadCheckpoint(folder, { kinds: runtime.kinds });
  checkFits(runtime, checkpoint.spec);
  const retrier = waitingRetryGate(context);
  const file = flags.tasks === undefined ? undefined : resolve(cwd, flags.tasks);
  const given = await evalTasks(runtime, file, { retrier, signal });
  await initCompute({ preferred: loadClusterConfig({ env, cwd }).config.compute.backend });
  const actor = await actorOf(runtime.kinds.of(checkpoint.spec), checkpoint.spec, runtime.outline);
  const policy = actor.policy();
  policy.load(checkpoint.parameters.values);
  const version = Number(checkpoint.meta['version'] ?? 0);
  const write = (line: object): void => void stdout.write(`${JSON.stringify(line)}\n`);
  const result = await runTasks({
    ...given,
    ...{ source, concurrency, retrier, signal, version, onResult: write },
    policy: { source: fixedPolicy(policy, version), actor, inference: new MicroBatcher({ clock: systemClock }) },
  }).finally(() => policy.dispose());
  const summary = evalSummary(result, { tasks: given.tasks.length, checkpoint: folder, code });
  write({ summary });
  reportFailures(summary, allowFailed, context);
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
