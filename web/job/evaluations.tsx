import type { Evaluation, Job } from '../api/types.ts';
import { Mood } from '../parts/badge.tsx';
import { count, figure, percent } from '../parts/format.ts';
import { Empty, Panel } from '../parts/states.tsx';
import { Table } from '../parts/table.tsx';
import { wilson } from './held-out.ts';

const MOST = 20;

/** Measurements on tasks that are not trained on, the newest first. */
export function Evaluations({ job }: { job: Job }): preact.JSX.Element {
  const all = [...(job.evaluations ?? [])].reverse();
  return (
    <Panel title="Evaluations" note={all.length > MOST ? `The newest ${MOST} of ${all.length}.` : undefined}>
      {all.length === 0 ? (
        <Empty title="Nothing is measured yet" />
      ) : (
        <Table
          label="Evaluations"
          keyOf={({ name, policyVersion }) => `${name}@${policyVersion ?? 0}`}
          entries={all.slice(0, MOST)}
          columns={[
            { name: 'Policy', head: true, cell: ({ name }) => name },
            { name: 'Version', right: true, cell: ({ policyVersion }) => policyVersion ?? 0 },
            { name: 'Success', right: true, cell: (one) => percent(rateOf(one)) },
            { name: '95 % interval', right: true, cell: interval },
            { name: 'Tasks', right: true, cell: ({ tasks }) => count(tasks ?? 0) },
            { name: 'Reward', right: true, wide: true, cell: ({ meanReward }) => figure(meanReward ?? 0) },
            { name: 'Steps', right: true, wide: true, cell: ({ meanSteps }) => figure(meanSteps ?? 0) },
            { name: 'Against untrained', wide: true, cell: comparison },
          ]}
        />
      )}
    </Panel>
  );
}

function rateOf({ tasks = 0, failed = 0, successes = 0 }: Evaluation): number | undefined {
  return tasks > failed ? successes / (tasks - failed) : undefined;
}

function interval({ tasks = 0, failed = 0, successes = 0, incomplete }: Evaluation): string {
  if (tasks <= failed) return '–';
  const [low, high] = wilson(successes, tasks - failed);
  return `${percent(low)} to ${percent(high)}${incomplete ? ' (incomplete)' : ''}`;
}

function comparison({ comparison: against }: Evaluation): preact.JSX.Element | string {
  if (against === undefined) return '';
  const { wins = 0, losses = 0, decision } = against;
  return (
    <>
      {wins} wins, {losses} losses:{' '}
      <Mood good={decision === 'better' ? true : decision === 'worse' ? false : undefined}>{decision}</Mood>
    </>
  );
}
