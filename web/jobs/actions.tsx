import { useState } from 'preact/hooks';
import { call } from '../api/rpc.ts';
import { mayWrite } from '../api/session.ts';
import type { Job } from '../api/types.ts';
import { isOver, stateName } from '../parts/badge.tsx';

type Verb = 'Pause' | 'Resume' | 'Cancel';

/** What can be done with a job in its state. */
export function verbsFor({ state }: Pick<Job, 'state'>): Verb[] {
  const name = stateName(state);
  if (name === 'failed') return ['Resume'];
  if (isOver(state)) return [];
  return name === 'paused' ? ['Resume', 'Cancel'] : ['Pause', 'Cancel'];
}

/** Buttons that pause, resume and cancel a job. Cancelling asks first: it cannot be undone. */
export function JobActions({ job }: { job: Job }): preact.JSX.Element | null {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState('');
  const [sure, setSure] = useState(false);
  if (!mayWrite()) return null;
  const act = (verb: Verb): void => {
    if (verb === 'Cancel' && !sure) return setSure(true);
    setSure(false);
    setBusy(true);
    setProblem('');
    call(`admin.${verb}Job`, { jobId: job.id })
      .catch((error: Error) => setProblem(error.message))
      .finally(() => setBusy(false));
  };
  return (
    <span class="actions">
      {verbsFor(job).map((verb) => (
        <button
          key={verb}
          type="button"
          class={verb === 'Cancel' ? 'button danger' : 'button'}
          disabled={busy}
          onClick={() => act(verb)}
          onBlur={() => verb === 'Cancel' && setSure(false)}
        >
          {verb === 'Cancel' && sure ? 'Really cancel?' : verb}
          <span class="unseen"> {job.id}</span>
        </button>
      ))}
      {problem !== '' && (
        <span class="action-problem" role="alert">
          {problem}
        </span>
      )}
    </span>
  );
}
