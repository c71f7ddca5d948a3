import { useState } from 'preact/hooks';
import { jobs } from '../api/live.ts';
import type { Job } from '../api/types.ts';
import { stateName } from '../parts/badge.tsx';
import { Empty, Skeleton } from '../parts/states.tsx';
import { JobActions } from './actions.tsx';
import { JobTable } from './job-table.tsx';

const STATES = ['all', 'running', 'queued', 'paused', 'succeeded', 'failed', 'cancelled'];
/** Rows that are shown at first, and more each time. */
const PAGE = 100;

/** Every job, the newest first. */
export function JobsView(): preact.JSX.Element {
  const [wanted, setWanted] = useState('all');
  const [words, setWords] = useState('');
  const [most, setMost] = useState(PAGE);
  const known = jobs.value;
  if (known === undefined) return <Skeleton lines={8} />;
  const all = [...known.values()].sort((a, b) => Date.parse(b.createTime ?? '') - Date.parse(a.createTime ?? ''));
  const found = chosen(all, wanted, words);
  return (
    <>
      <h1>Jobs</h1>
      <div class="filters">
        <label>
          <span class="unseen">Find jobs</span>
          <input
            type="search"
            placeholder="Find by name or owner"
            value={words}
            onInput={(event) => setWords(event.currentTarget.value)}
          />
        </label>
        <label>
          <span class="unseen">State</span>
          <select value={wanted} onChange={(event) => setWanted(event.currentTarget.value)}>
            {STATES.map((state) => (
              <option key={state} value={state}>
                {state === 'all' ? 'All states' : state}
              </option>
            ))}
          </select>
        </label>
        <span class="muted" role="status">
          {found.length} of {all.length}
        </span>
      </div>
      {found.length > 0 ? (
        <JobTable
          label="Jobs"
          jobs={found.slice(0, most)}
          more={[{ name: 'Actions', cell: (job) => <JobActions job={job} /> }]}
        />
      ) : (
        <Empty title={all.length === 0 ? 'There is no job yet' : 'No job is like that'}>
          {all.length === 0 ? <code>millrace job create job.yaml</code> : 'Choose another state, or fewer words.'}
        </Empty>
      )}
      {found.length > most && (
        <button class="button" type="button" onClick={() => setMost(most + PAGE)}>
          Show {Math.min(PAGE, found.length - most)} more
        </button>
      )}
    </>
  );
}

/** The jobs in a state whose id or owner has every word. */
export function chosen(all: readonly Job[], state: string, words: string): Job[] {
  const needed = words.toLowerCase().split(/\s+/).filter(Boolean);
  return all.filter(
    (job) =>
      (state === 'all' || stateName(job.state) === state) &&
      needed.every((word) => `${job.id} ${job.owner ?? ''}`.toLowerCase().includes(word)),
  );
}
