import type { JobState } from '../api/types.ts';

/** The state of a job in a word. */
export function stateName(state: JobState | undefined): string {
  return (state ?? 'JOB_STATE_QUEUED').replace('JOB_STATE_', '').toLowerCase();
}

/** Whether nothing happens with the job any more. */
export function isOver(state: JobState | undefined): boolean {
  return ['succeeded', 'failed', 'cancelled', 'unreadable'].includes(stateName(state));
}

/** The state of a job. */
export function StateBadge({ state }: { state: JobState | undefined }): preact.JSX.Element {
  const name = stateName(state);
  return (
    <span class={`badge badge-${name}`}>
      <span class="dot" aria-hidden="true" />
      {name}
    </span>
  );
}

/** How something ended, in a word that has a colour. */
export function Mood({ good, children }: { good: boolean | undefined; children: preact.ComponentChildren }): preact.JSX.Element {
  return <span class={good === undefined ? 'mood' : good ? 'mood mood-good' : 'mood mood-bad'}>{children}</span>;
}
