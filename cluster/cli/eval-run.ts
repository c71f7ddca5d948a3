import { systemClock } from '../../src/clock/system.ts';
import { MillraceError } from '../../src/errors.ts';
import { runGroup, type PolicyRuntime } from '../../src/flow/group.ts';
import type { RetryGate } from '../../src/flow/retry-gate.ts';
import { FailureClass } from '../../src/gen/millrace/v1/flow_pb.ts';
import type { Score, ScoredGroup } from '../../src/gen/millrace/v1/training_pb.ts';
import { evaluationPlan } from '../../src/jobs/evaluation/plans.ts';
import { EvaluationTally } from '../../src/jobs/evaluation/tally.ts';
import { evaluatedFlow } from '../../src/jobs/evaluation/task.ts';
import type { EvaluationRecord } from '../../src/jobs/record.ts';
import { evaluationRequest, type RequestTask } from '../../src/jobs/requests.ts';
import { scoreGroup } from '../../src/reward/score.ts';
import { guardExit } from '../flow-watch/guard-exit.ts';
import type { EvalSource } from './eval-source.ts';
import type { EvalTasks } from './eval-tasks.ts';

/** What is evaluated, and how. */
export interface EvalRun extends EvalTasks {
  source: Pick<EvalSource, 'config' | 'runtime'>;
  policy: PolicyRuntime;
  /** Of that policy. */
  version: number;
  /** Tasks at the same time. */
  concurrency: number;
  retrier: RetryGate;
  signal: AbortSignal;
  /** Flows a task: 1 takes the most likely actions, more are sampled as rollouts are. */
  samples: number;
  /** Called with the result of each task, in the order of the tasks. */
  onResult: (line: object) => void;
}

/** Runs the tasks. Throws `cancelled` when the signal aborts. */
export async function runTasks(run: EvalRun): Promise<EvaluationRecord> {
  const { tasks, concurrency, signal, version, samples, onResult } = run;
  const plan = evaluationPlan(samples > 1 ? 'sampled' : 'trained', version, samples);
  const tally = new EvaluationTally(plan, tasks.length);
  const results = inOrder(onResult);
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < tasks.length && !signal.aborted) {
      const index = next;
      next += 1;
      results(index, await runOne(run, tally, { task: tasks[index]!, index }));
    }
  };
  const restoreExit = guardExit();
  await Promise.all(Array.from({ length: Math.min(concurrency, tasks.length) }, worker)).finally(restoreExit);
  if (signal.aborted) throw new MillraceError('cancelled', 'Interrupted.');
  return tally.result({ trajectories: 0, trainSeconds: 0 });
}

/** Runs and scores one task, counts it, and returns the line about it. */
async function runOne(
  { source, policy, flowContext, retrier, signal }: EvalRun,
  tally: EvaluationTally,
  { task, index }: { task: RequestTask; index: number },
): Promise<object> {
  const { config, runtime } = source;
  const now = systemClock.now();
  const request = evaluationRequest({ job: config.name, config }, tally.plan, { index, tasks: [task], now });
  const common = { flow: runtime.flow, context: flowContext, node: 'eval', clock: systemClock, retrier };
  const group = await runGroup({ ...common, request, policy, signal });
  const scored = await scoreGroup(group, { ...common, algorithm: config.algorithm });
  const failure = FailureClass[scored.failure];
  tally.add({
    taskId: task.id,
    type: scored.taskTypes[0] ?? '',
    flows: scored.scores.map((flow) => ({ ...evaluatedFlow(flow), ...(!flow.valid && { failure }) })),
  });
  return lineOf(task.id, scored, failure);
}

/** Of several flows the means, and how many succeeded of those that were judged. */
function lineOf(id: string, { scores, failureMessage }: ScoredGroup, failureClass: string | undefined): object {
  const judged = scores.filter(({ valid }) => valid);
  const mean = (of: (score: Score) => number): number =>
    judged.length === 0 ? 0 : judged.reduce((sum, score) => sum + of(score), 0) / judged.length;
  const successes = judged.filter(({ success }) => success).length;
  const figures = { reward: mean(({ reward }) => reward), steps: mean(({ steps }) => steps) };
  const problem = judged.length === scores.length ? {} : { failure: failureMessage, failureClass };
  if (scores.length > 1) return { id, success: successes > 0, successes, flows: judged.length, ...figures, ...problem };
  return { id, success: successes > 0, ...figures, ...problem };
}

/** Passes lines on in the order of their numbers, each as soon as those before it are there. */
function inOrder(pass: (line: object) => void): (index: number, line: object) => void {
  const lines: (object | undefined)[] = [];
  let passed = 0;
  return (index, line) => {
    lines[index] = line;
    for (; lines[passed] !== undefined; passed += 1) pass(lines[passed]!);
  };
}
