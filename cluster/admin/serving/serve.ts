import type { MessageInitShape } from '@bufbuild/protobuf';
import { ERROR_CODES, MillraceError, type ErrorCode } from '../../../src/errors.ts';
import type { ServePolicyRequest, ServePolicyResponseSchema } from '../../../src/gen/millrace/v1/adapters_pb.ts';
import type { ServedTask } from '../../../src/gen/millrace/v1/serving_pb.ts';
import { adapterNamed, type Adapter } from '../../../src/jobs/adapters/registry.ts';
import type { Experiment } from '../../../src/jobs/experiments/experiment.ts';
import {
  MOST_ANSWER,
  servedRequestId,
  servedTrajectory,
  type ServedTaskRecord,
} from '../../../src/jobs/experiments/served-task.ts';
import { randomId } from '../../../src/random/id.ts';
import { terminationWord } from '../../../src/records/words.ts';
import type { AgentRecord } from '../../jobs/agents.ts';
import { sha256 } from '../../../src/artifacts/digest.ts';
import { assign, servedKey } from '../../jobs/serving-hashes.ts';
import type { ServedEntry } from '../../jobs/served-tasks.ts';
import { checkAgentName, checkRequestId } from '../validation.ts';
import { checkDurationMs, MOST_REWARD_MS } from './checks.ts';
import type { ServingContext } from './context.ts';
import { liveOf } from './live.ts';
import { armMessage } from './messages.ts';

type Answer = MessageInitShape<typeof ServePolicyResponseSchema>;

/** Bytes of a task at most. */
const MOST_TASK = 262_144;
const MOST_STICKY = 256;
const TIMEOUT = { min: 100, max: 55_000, byDefault: 25_000 };
/** How much longer than its deadline a run may take until it counts as lost. */
const GRACE_MS = 5_000;

/** A request that was checked. */
interface LiveTask {
  agent: string;
  taskJson: string;
  stickyKey: string;
  /** Of the request; absent where it may not come again. */
  requestId: string | undefined;
  timeoutMs: number;
  /** Of what is asked for. */
  content: string;
}

/** Solves live tasks: chooses the policy, has a worker run it, and keeps what a reward needs to know. */
export async function servePolicy(context: ServingContext, request: ServePolicyRequest): Promise<Answer> {
  const task = checked(request);
  const { clock, random, served } = context;
  const key = servedKey(task.agent, task.requestId ?? randomId(random));
  const before = task.requestId === undefined ? undefined : await served.find(key);
  if (before !== undefined) {
    const { answer, content, runsUntil = 0 } = before.task;
    if (content !== task.content)
      throw new MillraceError('already_exists', 'was used for another task; give each request an id of its own.', {
        field: 'request_id',
      });
    if (answer !== undefined) return answerMessage(before.task);
    if (clock.now() < runsUntil)
      throw new MillraceError('aborted', 'The same request is being worked on; send it again later.', { field: 'request_id' });
  }
  const now = Math.round(clock.now());
  const { adapter, experiment } = await policyFor(context, task, before?.task);
  const attempt = (before?.task.attempt ?? 0) + 1;
  const record: ServedTaskRecord = {
    ...{
      format: 1,
      trajectory: servedTrajectory(servedRequestId(adapter.name, key, attempt)),
      agent: task.agent,
      policy: adapter.name,
    },
    ...(experiment && { experiment: experiment.assignment }),
    ...(task.requestId !== undefined && { content: task.content, runsUntil: now + task.timeoutMs + GRACE_MS }),
    ...{ servedAt: now, rewardUntil: now + (experiment?.rewardWithinMs ?? MOST_REWARD_MS), attempt },
  };
  // Only a request that may come again has to be known before its task is run.
  const begun = task.requestId === undefined ? undefined : await served.write(key, record, before);
  const answered = await run(context, { task, adapter, record, key }).catch(async (thrown: unknown) => {
    if (begun !== undefined) await served.write(key, { ...record, runsUntil: 0 }, begun).catch(() => undefined);
    throw thrown;
  });
  const done = withAnswer(record, answered);
  await served.write(key, done, begun);
  return { ...answerMessage(done), answerJson: answered.answerJson };
}

/** The task with its answer, as far as that is kept. */
function withAnswer(
  { runsUntil: _, ...record }: ServedTaskRecord,
  { answerJson, termination, steps }: ServedTask,
): ServedTaskRecord {
  const kept = record.content !== undefined && answerJson.length <= MOST_ANSWER;
  return { ...record, answer: { ...(kept && { json: answerJson }), ended: terminationWord(termination), steps } };
}

function answerMessage({ trajectory, policy, experiment, answer }: ServedTaskRecord): Answer {
  return {
    ...{ trajectoryId: trajectory, version: policy, experiment: experiment?.id ?? '', arm: armMessage(experiment?.arm) },
    ...{ answerJson: answer!.json ?? '', ended: answer!.ended, steps: answer!.steps },
  };
}

async function run(
  { clock, ask }: ServingContext,
  { task, adapter, record, key }: { task: LiveTask; adapter: Adapter; record: ServedTaskRecord; key: string },
): Promise<ServedTask> {
  const now = clock.now();
  const answered = await ask({
    ...{ requestId: servedRequestId(adapter.name, key, record.attempt), job: adapter.job, version: adapter.version },
    ...{ checkpointDigest: adapter.checkpoint, taskJson: task.taskJson },
    ...{ experiment: record.experiment?.id ?? '', arm: record.experiment?.arm ?? '' },
    ...{ requestedAtUs: BigInt(Math.round(now * 1000)), deadlineUs: BigInt(Math.round((now + task.timeoutMs) * 1000)) },
  });
  const { errorCode, errorMessage, errorField } = answered;
  if (errorCode === '') return answered;
  const code = (ERROR_CODES as readonly string[]).includes(errorCode) ? (errorCode as ErrorCode) : 'internal';
  throw new MillraceError(code, errorMessage, errorField === '' ? {} : { field: errorField });
}

/** An adapter, and how its task counts. */
interface Chosen {
  adapter: Adapter;
  experiment?: { assignment: NonNullable<ServedTaskRecord['experiment']>; rewardWithinMs: number };
}

/**
 * The policy that a task meets: that of its key's arm while an experiment has the agent's tasks, else the live one.
 * @param before - an attempt that failed: its arm is kept while the experiment runs
 */
async function policyFor(context: ServingContext, task: LiveTask, before: ServedEntry['task'] | undefined): Promise<Chosen> {
  const agent = await context.agents.get(task.agent);
  const experiment = await runningExperiment(context, agent);
  if (experiment === undefined) return { adapter: liveOf(await context.agents.get(task.agent)) };
  const { id, rewardWithinMs } = experiment;
  const { arm, unit } = before?.experiment?.id === id ? before.experiment : assign(experiment, task.stickyKey);
  const adapter = adapterNamed(agent, agent.name, experiment[arm]);
  return { adapter, experiment: { assignment: { id, arm, unit }, rewardWithinMs } };
}

async function runningExperiment({ experiments, keeper }: ServingContext, agent: AgentRecord): Promise<Experiment | undefined> {
  if (agent.experiment === '') return undefined;
  const found = await experiments.find(agent.experiment);
  if (found === undefined || found.state === 'RUNNING') return found;
  // Its decision holds from the moment that it was made.
  await keeper.settle(found.id);
  return undefined;
}

function checked(request: ServePolicyRequest): LiveTask {
  const agent = checkAgentName(request.agent, 'agent');
  const { taskJson, stickyKey } = request;
  if (Buffer.byteLength(taskJson) > MOST_TASK)
    throw invalid('task_json', `has ${Buffer.byteLength(taskJson)} bytes; the most is ${MOST_TASK}.`);
  let canonical: string;
  try {
    canonical = JSON.stringify(JSON.parse(taskJson));
  } catch (error) {
    throw invalid('task_json', `is not JSON: ${(error as Error).message}.`);
  }
  if (stickyKey.length > MOST_STICKY)
    throw invalid('sticky_key', `has ${stickyKey.length} characters; the most is ${MOST_STICKY}.`);
  const content = sha256(JSON.stringify([canonical, stickyKey]));
  const timeoutMs = checkDurationMs('timeout', request.timeout, TIMEOUT);
  // Of no user: the same task meets the same policy.
  const key = stickyKey === '' ? `task ${canonical}` : `key ${stickyKey}`;
  return { agent, taskJson, stickyKey: key, requestId: checkRequestId(request.requestId), timeoutMs, content };
}

function invalid(field: string, message: string): MillraceError {
  return new MillraceError('invalid_argument', message, { field });
}
