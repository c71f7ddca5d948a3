import type { Clock } from '../clock/clock.ts';
import { isOutcomeAlone, type RewardComponent } from '../config/job/reward.ts';
import type { FlowDefinition } from '../flow/define.ts';
import { retrying, RetryLater, type Retrier } from '../flow/retry-later.ts';
import type { Spending } from '../flow/spending.ts';
import type { Used } from '../flow/usage.ts';
import { FailureClass, type Trajectory } from '../gen/millrace/v1/flow_pb.ts';
import { Purpose, type TrajectoryGroup } from '../gen/millrace/v1/training_pb.ts';
import { parseTask } from '../flow/check-task.ts';
import { taskIndexOf, tasksOf } from '../records/request-tasks.ts';
import type { CustomValue } from './custom/custom-reward.ts';
import type { RewardCall } from './custom/protocol.ts';
import { judge, type Judgement } from './judge.ts';
import { payForReward } from './pay.ts';
import { shapeReward, type ShapedReward } from './shape.ts';
import { stepsOf } from './steps.ts';

/** Asks the custom reward function of a component. */
export type AskCustom = (component: string, call: RewardCall) => Promise<CustomValue>;

/** What a trajectory is worth to the training, or why nobody can say. */
export type Assessment =
  ({ outcome: number; success: boolean; usage?: Used } & ShapedReward) | { failure: FailureClass; message: string; usage?: Used };

/** What {@link assessGroup} needs. */
export interface AssessOptions<T, M> {
  flow: FlowDefinition<T, M>;
  context: unknown;
  components: readonly RewardComponent[];
  custom: AskCustom | undefined;
  timeoutMs: number;
  clock: Clock;
  /** What rewards cost. Default: what they say themselves, and nothing is booked. */
  spending?: Spending | undefined;
  /** Makes calls again that threw RetryLater. Default: they reject with `HandBack`. */
  retrier?: Retrier | undefined;
}

/** Outcome and reward of every trajectory of a group. Evaluations are judged by their outcome alone, whatever the components. */
export async function assessGroup<T, M>(group: TrajectoryGroup, options: AssessOptions<T, M>): Promise<Assessment[]> {
  const { flow, context, custom, timeoutMs, clock, retrier, spending = {} } = options;
  const request = group.request!;
  const { purpose } = request;
  const shaped = purpose !== Purpose.EVALUATE && !isOutcomeAlone(options.components);
  const components = shaped ? options.components : [];
  const modules = components.filter(({ module }) => module !== undefined);
  const steps = modules.length > 0 ? stepsOf(group) : [];
  const tasks = tasksOf(request).map((of) => ({ ...of, ...parseTask(flow, of.taskJson) }));

  const assess = async (trajectory: Trajectory, index: number): Promise<Assessment> => {
    if (trajectory.failure !== FailureClass.UNSPECIFIED)
      return { failure: trajectory.failure, message: trajectory.failureMessage };
    const task = tasks[taskIndexOf(request, index)]!;
    if ('problem' in task) return { failure: FailureClass.INVALID_TASK, message: task.problem };
    const { answerJson } = trajectory;
    const label = { job: request.job, flow: flow.name, task: task.taskId, part: 'reward' };
    const ask = (): Promise<Judgement> => judge(flow, { task: task.task, answerJson, context }, { clock, timeoutMs, label });
    // Each attempt is a call of its own.
    const { judgement, used: usage } = await retrying('reward', () => payForReward(flow, spending, ask), retrier);
    if ('failure' in judgement) return { ...judgement, usage };
    const { outcome, success } = judgement;
    if (!shaped) return { ...judgement, usage, reward: outcome, stepRewards: [] };
    const call: RewardCall = { taskJson: task.taskJson, answerJson, steps: steps[index] ?? [], outcome };
    const values: Record<string, number> = {};
    for (const [name, value] of await Promise.all(
      modules.map(async ({ name }) => {
        const value = await retrying(`reward component '${name}'`, () => askCustom(custom, name, call), retrier);
        return [name, value] as const;
      }),
    )) {
      if ('problem' in value) return { ...failed(`reward component '${name}': ${value.problem}`), usage };
      values[name] = value.value;
    }
    const reward = shapeReward(components, {
      outcome,
      components: judgement.components,
      custom: values,
      steps: trajectory.steps,
      signals: trajectory.signals,
    });
    return 'problem' in reward ? { ...failed(`reward: ${reward.problem}`), usage } : { outcome, success, usage, ...reward };
  };
  // One that is handed back takes the group with it, once no call is under way any more.
  const all = group.trajectories.map(assess);
  await Promise.allSettled(all);
  return Promise.all(all);
}

async function askCustom(
  custom: AskCustom | undefined,
  name: string,
  call: RewardCall,
): Promise<Exclude<CustomValue, { later: unknown }>> {
  const value = (await custom?.(name, call)) ?? { problem: 'no thread was given to run it in' };
  if ('later' in value) throw new RetryLater(value.later);
  return value;
}

function failed(message: string): Assessment {
  return { failure: FailureClass.REWARD_FAILED, message };
}
