import { resolve } from 'node:path';
import { loadCheckpoint } from '../../src/checkpoint/load.ts';
import { systemClock } from '../../src/clock/system.ts';
import { initCompute } from '../../src/compute/backend.ts';
import { loadClusterConfig } from '../../src/config/cluster.ts';
import { MillraceError } from '../../src/errors.ts';
import { FailureClass } from '../../src/gen/millrace/v1/flow_pb.ts';
import { runGroup } from '../../src/flow/group.ts';
import { MicroBatcher } from '../../src/policy/inference/micro-batcher.ts';
import { fixedPolicy } from '../../src/flow/policies.ts';
import { RetryLater } from '../../src/flow/retry-later.ts';
import { RetryGate } from '../../src/flow/retry-gate.ts';
import { evaluationPlan, EvaluationTally } from '../../src/jobs/evaluation.ts';
import { judgementOf, judgementText } from '../../src/jobs/judgement.ts';
import { evaluationRequest, type RequestTask } from '../../src/jobs/requests.ts';
import { systemRandom } from '../../src/random/seeded.ts';
import type { PolicySpec, SpecDifference } from '../../src/policy/kind.ts';
import { actorOf } from '../../src/policy/registry.ts';
import { scoreGroup } from '../../src/reward/score.ts';
import { LoadLater } from '../../src/tasks/load-later.ts';
import { loadTasks, type LoadedTasks } from '../../src/tasks/load.ts';
import { readTasks } from '../../src/tasks/read.ts';
import { guardExit } from '../flow-watch/guard-exit.ts';
import type { JobRuntime } from '../jobs/runtime.ts';
import { taskPlan } from '../jobs/tasks.ts';
import type { CliContext } from './context.ts';
import { EXIT } from './errors.ts';
import { openEvalSource, type EvalSource } from './eval-source.ts';
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

async function evaluateWith({ config, runtime, code }: EvalSource, flags: EvalFlags, context: CliContext): Promise<void> {
  const { cwd, env } = context;
  const concurrency = wholeNumber(flags.concurrency, '--concurrency', 1, 1024);
  const allowFailed = wholeNumber(flags.allowFailed, '--allow-failed', 0, 1_000_000);
  const checkpoint = await loadCheckpoint(resolve(cwd, flags.checkpoint), runtime.kinds);
  checkFits(runtime, checkpoint.spec);
  const retrier = patientGate(context);
  const { tasks, flowContext } = await tasksOf(runtime, flags, cwd, retrier, context.signal);
  await initCompute({ preferred: loadClusterConfig({ env, cwd }).config.compute.backend });
  const actor = await actorOf(runtime.kinds.of(checkpoint.spec), checkpoint.spec, runtime.outline);
  const policy = actor.policy();
  policy.load(checkpoint.parameters.values);
  const version = Number(checkpoint.meta['version'] ?? 0);
  const plan = evaluationPlan('trained', version);
  const tally = new EvaluationTally(plan, tasks.length);
  const runtimePolicy = {
    source: fixedPolicy(policy, version),
    actor,
    inference: new MicroBatcher({ clock: systemClock }),
  };
  const requests = { job: config.name, config };
  /** In the order of the tasks, each as soon as those before it are there. */
  const lines: (string | undefined)[] = [];
  let printed = 0;
  const print = (index: number, line: object): void => {
    lines[index] = `${JSON.stringify(line)}\n`;
    for (; lines[printed] !== undefined; printed += 1) context.stdout.write(lines[printed]!);
  };

  const runOne = async (task: RequestTask, index: number): Promise<void> => {
    const request = evaluationRequest(requests, plan, { index, task, now: systemClock.now() });
    const common = { flow: runtime.flow, context: flowContext, node: 'eval', clock: systemClock, retrier };
    const group = await runGroup({ ...common, request, policy: runtimePolicy, signal: context.signal });
    const scored = await scoreGroup(group, { ...common, algorithm: config.algorithm });
    const [score] = scored.scores;
    const failure = FailureClass[scored.failure];
    tally.add({ taskId: task.id, flows: scored.scores.map((flow) => ({ ...flow, failure })) });
    const problem = score?.valid === true ? {} : { failure: scored.failureMessage, failureClass: failure };
    const { success = false, reward = 0, steps = 0 } = score ?? {};
    print(index, { id: task.id, success, reward, steps, ...problem });
  };

  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < tasks.length && !context.signal.aborted) {
      const index = next;
      next += 1;
      await runOne(tasks[index]!, index);
    }
  };
  const restoreExit = guardExit();
  await Promise.all(Array.from({ length: Math.min(concurrency, tasks.length) }, worker)).finally(restoreExit);
  policy.dispose();
  if (context.signal.aborted) throw new MillraceError('cancelled', 'Interrupted.');
  const result = tally.result({ trajectories: 0, trainSeconds: 0 });
  const { success, ci95, judged, notJudged, failures, incomplete } = judgementOf(result);
  const { successes, failed, meanReward, meanSteps } = result;
  const summary = {
    tasks: tasks.length,
    successes,
    failed,
    success: judged > 0 ? success : null,
    ci95,
    meanReward,
    meanSteps,
    judged,
    notJudged,
    failures,
    incomplete,
    judgement: judgementText(result),
    checkpoint: resolve(cwd, flags.checkpoint),
    code,
  };
  context.stdout.write(`${JSON.stringify({ summary })}\n`);
  if (failed === 0) return;
  context.note(
    `${incomplete ? 'INCOMPLETE: ' : ''}${summary.judgement}; the field failure of a task's line says what went wrong`,
  );
  if (failed <= allowFailed) return;
  context.note(`error: ${failed} of ${tasks.length} tasks failed for infrastructure reasons (--allow-failed ${allowFailed})`);
  context.exitCode = EXIT.failure;
}

/** What a flow's code prints goes to stderr, until the process ends: stdout is read by programs. */
function keepStdoutForResults(): void {
  const error = console.error.bind(console);
  Object.assign(console, { log: error, info: error, debug: error });
}

/** Where calls wait that threw RetryLater, for as long as it takes; says so. */
function patientGate({ note, signal }: Pick<CliContext, 'note' | 'signal'>): RetryGate {
  let said = false;
  const gate: RetryGate = new RetryGate({
    clock: systemClock,
    random: systemRandom(),
    patienceMs: Infinity,
    onChange() {
      const { hold, waiting } = gate;
      if (waiting === 0 && said) note('all calls are answered again');
      if (waiting > 0 && !said) note(`waiting for ${hold?.source} to answer again: ${hold?.reason}`);
      said = waiting > 0;
    },
  });
  signal.addEventListener('abort', () => gate.close(), { once: true });
  return gate;
}

async function tasksOf(
  runtime: JobRuntime,
  flags: EvalFlags,
  cwd: string,
  retrier: RetryGate,
  signal: AbortSignal,
): Promise<{ tasks: RequestTask[]; flowContext: unknown }> {
  const loaded = await runtime.tasks().catch((thrown: unknown) => {
    if (!(thrown instanceof LoadLater)) throw thrown;
    return retrier.again(thrown.retry, () => loadAgain(runtime), signal);
  });
  if (flags.tasks === undefined) return { tasks: (await taskPlan(runtime, loaded)).heldOut, flowContext: loaded.context };
  const file = resolve(cwd, flags.tasks);
  // The flow's own loader gives the world; the tasks are checked like any others.
  const given = await loadTasks({ ...runtime.flow, load: () => readTasks(file) }, { data: file });
  return { tasks: given.tasks, flowContext: loaded.context };
}

/** Asks for another try as a tool does, so that the gate waits for it in the same way. */
async function loadAgain(runtime: JobRuntime): Promise<LoadedTasks> {
  try {
    return await runtime.tasks();
  } catch (thrown) {
    throw thrown instanceof LoadLater ? new RetryLater(thrown.retry) : thrown;
  }
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
