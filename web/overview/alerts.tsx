import type { Job } from '../api/types.ts';
import { hrefTo } from '../app/router.ts';
import { ago } from '../parts/format.ts';
import { Panel } from '../parts/states.tsx';

/** Conditions of jobs that last. Nothing where there are none. */
export function Alerts({ jobs }: { jobs: readonly Job[] }): preact.JSX.Element | null {
  const lasting = jobs.flatMap(({ id, notices = [] }) =>
    notices.filter(({ resolveTime, momentary }) => resolveTime === undefined && !momentary).map((notice) => ({ id, notice })),
  );
  if (lasting.length === 0) return null;
  return (
    <Panel title="Needs attention">
      <ul class="notices">
        {lasting.slice(0, 8).map(({ id, notice }) => (
          <li key={`${id} ${notice.code} ${notice.subject ?? ''}`} class="notice notice-lasting">
            <a href={hrefTo(['jobs', id])}>{id}</a>
            <span>{notice.message}</span>
            <small class="muted">{ago(notice.lastTime)}</small>
          </li>
        ))}
      </ul>
    </Panel>
  );
}
