import type { Clock } from '../clock/clock.ts';
import type { FlowDefinition, Json, Reward } from '../flow/define.ts';
import { describe, isPromise } from '../flow/failure.ts';
import { isWellFormed } from '../flow/json.ts';
import { usageProblem, type Usage } from '../flow/usage.ts';
import { FailureClass } from '../gen/millrace/v1/flow_pb.ts';

/** What a trajectory is worth, or why nobody can say. */
export type Judgement =
  | { outcome: number; success: boolean; components: Readonly<Record<string, number>>; usage?: Usage }
  | { failure: FailureClass; message: string };

/** Asks the flow's reward about one answer, within a time limit. Everything that goes wrong is REWARD_FAILED. */
export async function judge<T>(
  flow: Pick<FlowDefinition<T, any>, 'reward'>,
  task: T,
  answerJson: string,
  context: unknown,
  { clock, timeoutMs }: { clock: Clock; timeoutMs: number },
): Promise<Judgement> {
  let reward: unknown;
  try {
    reward = flow.reward(task, JSON.parse(answerJson) as Json, context);
    if (isPromise(reward)) reward = await within(reward, clock, timeoutMs);
  } catch (thrown) {
    return failed(describe(thrown));
  }
  if (reward === LATE) return failed(`did not answer within ${timeoutMs} ms`);
  return read(reward);
}

const LATE = Symbol('late');

async function within(work: Promise<unknown>, clock: Clock, timeoutMs: number): Promise<unknown> {
  const timer = new AbortController();
  const late = clock.sleep(timeoutMs, timer.signal).then(
    () => LATE,
    () => LATE,
  );
  try {
    return await Promise.race([work, late]);
  } finally {
    timer.abort();
    // A rejection after the limit concerns nobody any more.
    work.then(undefined, () => undefined);
  }
}

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
