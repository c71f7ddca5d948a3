import type { MessageInitShape } from '@bufbuild/protobuf';
import { MillraceError } from '../../../src/errors.ts';
import type { RecordRewardRequest, RecordRewardResponseSchema } from '../../../src/gen/millrace/v1/adapters_pb.ts';
import { withOutcome, type Experiment } from '../../../src/jobs/experiments/experiment.ts';
import { keyOfTrajectory } from '../../../src/jobs/experiments/served-task.ts';
import { roundedReward } from '../../../src/jobs/experiments/tally.ts';
import { publishReward } from '../../jobs/experiment-rows.ts';
import type { ServedEntry } from '../../jobs/served-tasks.ts';
import type { ServingContext } from './context.ts';
import { experimentMessage } from './messages.ts';

/** Largest reward, and smallest with a minus. */
const MOST_REWARD = 1e6;
const MAX_ATTEMPTS = 10;

/** Takes the reward of a live task. The same again changes nothing. */
export async function recordReward(
  context: ServingContext,
  request: RecordRewardRequest,
): Promise<MessageInitShape<typeof RecordRewardResponseSchema>> {
  const value = rewardOf(request);
  const { trajectoryId } = request;
  const key = keyOfTrajectory(trajectoryId);
  if (key === undefined) throw unknown(trajectoryId);
  const entry = await noted(context, { key, trajectoryId, value });
  const { experiment, reward } = entry.task;
  let state = experiment && (await context.experiments.find(experiment.id));
  let counted = reward!.counted;
  if (counted === undefined) {
    ({ counted, state } = await count(context, entry.task, state));
    const task = { ...entry.task, reward: { ...reward!, counted } };
    // Somebody else may have written it: then it says the same.
    await context.served.write(key, task, entry).catch(ignoreAborted);
  }
  return { experiment: experiment?.id ?? '', counted, ...(state && { state: experimentMessage(state) }) };
}

function rewardOf({ outcome }: RecordRewardRequest): number {
  if (outcome.case === 'success') return Number(outcome.value);
  if (outcome.case === undefined)
    throw new MillraceError('invalid_argument', 'is missing; give a reward, or whether the task was a success.', {
      field: 'outcome',
    });
  const { value } = outcome;
  if (Number.isFinite(value) && Math.abs(value) <= MOST_REWARD) return roundedReward(value);
  throw new MillraceError('invalid_argument', `got ${value}, expected a finite number from ${-MOST_REWARD} to ${MOST_REWARD}.`, {
    field: 'reward',
  });
}

function unknown(trajectoryId: string): MillraceError {
  const shown = JSON.stringify(trajectoryId.slice(0, 120));
  const message = `No task was served as trajectory ${shown} in the last seven days; use the id that serving it has answered.`;
  return new MillraceError('not_found', message, { field: 'trajectory_id' });
}

/** The task with the reward, which is written where none was. */
async function noted(
  { served, clock }: ServingContext,
  { key, trajectoryId, value }: { key: string; trajectoryId: string; value: number },
): Promise<ServedEntry> {
  for (let attempt = 1; ; attempt += 1) {
    const entry = await served.find(key);
    if (entry === undefined || entry.task.trajectory !== trajectoryId || entry.task.answer === undefined)
      throw unknown(trajectoryId);
    const { reward, rewardUntil } = entry.task;
    if (reward?.value === value) return entry;
    if (reward !== undefined)
      throw new MillraceError('already_exists', `The task has the reward ${reward.value} already; it stays.`, {
        field: 'trajectory_id',
      });
    const now = Math.round(clock.now());
    if (now > rewardUntil)
      throw new MillraceError('failed_precondition', `The time for its reward ended at ${new Date(rewardUntil).toISOString()}.`, {
        field: 'trajectory_id',
      });
    try {
      return await served.write(key, { ...entry.task, reward: { value, at: now } }, entry);
    } catch (thrown) {
      if (MillraceError.from(thrown).code !== 'aborted' || attempt === MAX_ATTEMPTS) throw thrown;
    }
  }
}

/** Counts a reward in the experiment of its task, or notes that it counts in none. */
async function count(
  { bus, experiments, keeper }: ServingContext,
  task: ServedEntry['task'],
  before: Experiment | undefined,
): Promise<{ counted: boolean; state: Experiment | undefined }> {
  const { trajectory, servedAt, experiment } = task;
  const { value, at } = task.reward!;
  let counted = false;
  let state = before;
  if (experiment !== undefined && before !== undefined) {
    const { arm, unit } = experiment;
    state = await experiments.update(before.id, (newest) => {
      // Of a call that counted it and could not say so.
      counted = newest.unpublished.outcomes.some((outcome) => outcome.trajectory === trajectory);
      const next = counted ? undefined : withOutcome(newest, { arm, unit, reward: value, trajectory, servedAt, at });
      counted ||= next !== undefined;
      return next ?? newest;
    });
    if (counted) {
      if (state.state === 'RUNNING') keeper.soon(state.id);
      else await keeper.settle(state.id);
    }
  }
  if (!counted) await publishReward(bus, task, state?.candidate);
  return { counted, state };
}

function ignoreAborted(thrown: unknown): void {
  if (MillraceError.from(thrown).code !== 'aborted') throw thrown;
}
