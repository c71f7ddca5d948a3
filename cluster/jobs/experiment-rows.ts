import type { Bus } from '../../src/bus/bus.ts';
import type { Experiment, OutcomeRow } from '../../src/jobs/experiments/experiment.ts';
import type { ServedTaskRecord } from '../../src/jobs/experiments/served-task.ts';
import { eventSubject } from '../../src/protocol/subjects.ts';
import { encodeRows } from '../../src/records/encode.ts';
import type { ExperimentOutcomeRow } from '../../src/records/experiment-tables.ts';

type Publisher = Pick<Bus, 'publish'>;

/** Rows of an experiment are kept with the job of its candidate. */
const jobOf = (policy: string): string => policy.slice(0, policy.lastIndexOf('@'));
const micros = (ms: number): number => ms * 1000;

/** Publishes outcomes that an experiment has counted. The same ones again are the same rows. */
export async function publishOutcomes(bus: Publisher, experiment: Experiment, outcomes: readonly OutcomeRow[]): Promise<void> {
  const { id, agent, champion, candidate } = experiment;
  for (const { ordinal, pairedWith, unit, arm, trajectory, reward, servedAt, at } of outcomes) {
    const adapter = arm === 'candidate' ? candidate : champion;
    const common = {
      job: jobOf(candidate),
      experiment: id,
      ordinal,
      trajectory_id: trajectory,
      agent,
      adapter,
      arm,
      unit,
      reward,
    };
    await publish(bus, { ...common, paired_with: pairedWith, served_at: micros(servedAt), recorded_at: micros(at) });
  }
}

/** Publishes the reward of a task that counts in no experiment (any more). */
export async function publishReward(bus: Publisher, task: ServedTaskRecord, candidate: string | undefined): Promise<void> {
  const { trajectory, agent, policy, experiment, servedAt, reward } = task;
  const { id = '', arm = '', unit = '' } = experiment ?? {};
  const common = {
    job: jobOf(candidate ?? policy),
    experiment: id,
    ordinal: 0,
    trajectory_id: trajectory,
    agent,
    adapter: policy,
    arm,
    unit,
  };
  const times = { served_at: micros(servedAt), recorded_at: micros(reward!.at) };
  await publish(bus, { ...common, reward: reward!.value, paired_with: 0, ...times });
}

async function publish(bus: Publisher, row: ExperimentOutcomeRow): Promise<void> {
  const id = `${row.experiment}:outcome:${row.ordinal}:${row.trajectory_id}`;
  await bus.publish(eventSubject(row.job, 'outcome'), encodeRows('experiment_outcomes', [row]), { id });
}

/** Publishes how an experiment ended. */
export async function publishDecision(bus: Publisher, { id, agent, champion, candidate, decision }: Experiment): Promise<void> {
  const { kind, by, at, ...numbers } = decision!;
  const job = jobOf(candidate);
  const row = { job, experiment: id, agent, champion, candidate, kind, decided_by: by, ...numbers, decided_at: micros(at) };
  await bus.publish(eventSubject(job, 'decision'), encodeRows('experiment_decisions', [row]), { id: `${id}:decision` });
}
