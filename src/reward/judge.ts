import { Activity, type ActivityLabel } from '../clock/activity.ts';
import type { Clock } from '../clock/clock.ts';
import { TimeLimit } from '../clock/time-limit.ts';
import type { FlowDefinition, Json, Reward } from '../flow/define.ts';
import { describe, isPromise } from '../flow/failure.ts';
import { isWellFormed } from '../flow/json.ts';
import { isRetryLater } from '../flow/retry-later.ts';
import { usageProblem, type Usage } from '../flow/usage.ts';
import { FailureClass } from '../gen/millrace/v1/flow_pb.ts';

/** What a trajectory is worth, or why nobody can say. */
export type Judgement =
  | { outcome: number; success: boolean; components: Readonly<Record<string, number>>; usage?: Usage }
  | { failure: FailureClass; message: string };

/**
 * Asks the flow's reward about one answer, within a time limit that measures the reward and not this process. Everything that goes
 * wrong is REWARD_FAILED; a RetryLater is thrown on as it is.
 */
export async function judge<T>(
  flow: Pick<FlowDefinition<T, any>, 'reward'>,
  { task, answerJson, context }: { task: T; answerJson: string; context: unknown },
  { clock, timeoutMs, label }: { clock: Clock; timeoutMs: number; label?: ActivityLabel },
): Promise<Judgement> {
  const activity = new Activity(clock, label);
  const limit = new TimeLimit(timeoutMs, { clock, activity });
  const late = (): Judgement => failed(`did not answer within ${timeoutMs} ms`);
  try {
    const answer = JSON.parse(answerJson) as Json;
    const reward: unknown = activity.run(() => flow.reward(task, answer, context), !synchronous.has(flow));
    if (!isPromise(reward)) {
      synchronous.add(flow);
      return limit.isOverrun ? late() : read(reward);
    }
    synchronous.delete(flow);
    const ended = await limit.of(reward);
    if (typeof ended === 'string') return late();
    if (!('thrown' in ended)) return read(ended.result);
    if (isRetryLater(ended.thrown)) throw ended.thrown;
    return failed(describe(ended.thrown));
  } catch (thrown) {
    if (isRetryLater(thrown)) throw thrown;
    return failed(describe(thrown));
  }
}

/** Flows whose last reward was synchronous: nothing of it runs later, so nothing has to be tracked. */
const synchronous = new WeakSet<object>();

function read(reward: unknown): Judgement {
  const {
    outcome,
    success,
    components = {},
    usage,
  } = (typeof reward === 'number' ? { outcome: reward } : (reward ?? {})) as Partial<Reward>;
  if (!isNumber(outcome)) return failed(`must be a finite number or { outcome: number }, got ${show(reward)}`);
  for (const [name, value] of Object.entries(components))
    if (!isWellFormed(name)) return failed(`the name of component ${JSON.stringify(name)} is not well-formed Unicode`);
    else if (!isNumber(value)) return failed(`component '${name}' must be a finite number, got ${show(value)}`);
  const problem = usage === undefined ? undefined : usageProblem(usage);
  if (problem !== undefined) return failed(problem);
  return { outcome, success: success ?? outcome >= 1, components, ...(usage && { usage }) };
}

/** Scores travel as 32-bit floats. */
function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(Math.fround(value));
}

function show(value: unknown): string {
  return typeof value === 'number' ? String(value) : ((JSON.stringify(value) as string | undefined) ?? String(value));
}

function failed(problem: string): Judgement {
  return { failure: FailureClass.REWARD_FAILED, message: `reward: ${problem}` };
}
