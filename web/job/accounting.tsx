import type { Job } from '../api/types.ts';
import { ShareBar } from '../parts/bar.tsx';
import { count, dollars } from '../parts/format.ts';
import { Panel } from '../parts/states.tsx';
import { openRequests } from '../overview/overview.tsx';

/** What became of every training request. */
export function Accounting({ job }: { job: Job }): preact.JSX.Element {
  const { progress } = job;
  const { trained, filtered, expired, failed, failedByClass = {}, spentMicroDollars, spentTokens } = progress?.ledger ?? {};
  const open = openRequests(job);
  const shares = [
    { name: 'trained', colour: 'good', value: Number(trained ?? 0) },
    { name: 'filtered', colour: 'series-1', value: Number(filtered ?? 0) },
    { name: 'expired', colour: 'warn', value: Number(expired ?? 0) },
    { name: 'failed', colour: 'bad', value: Number(failed ?? 0) },
    { name: 'in progress', colour: 'line-strong', value: open },
  ];
  const classes = Object.entries(failedByClass);
  return (
    <Panel title="Accounting" note="Every request ends in exactly one of these.">
      <p class="balance">
        <b>{count(progress?.requests ?? 0)}</b> requests ={' '}
        {shares.map(({ name, value }) => `${count(value)} ${name}`).join(' + ')}
      </p>
      <ShareBar label="Requests by how they ended" shares={shares} />
      {classes.length > 0 && (
        <ul class="plain-list">
          {classes.map(([name, value]) => (
            <li key={name}>
              <code>{name}</code> {count(value)}
            </li>
          ))}
        </ul>
      )}
      {Number(spentMicroDollars ?? 0) > 0 && (
        <p>
          Spent {dollars(spentMicroDollars)} on {count(spentTokens ?? 0)} tokens.
        </p>
      )}
      {(job.budgets ?? []).map(({ of, unit, spent, limit, exhausted }) => (
        <p key={`${of} ${unit}`} class={exhausted ? 'callout callout-bad' : 'muted'}>
          Budget of {of}: {count(spent ?? 0)} of {count(limit ?? 0)} {unit.replaceAll('_', ' ')}
        </p>
      ))}
    </Panel>
  );
}
