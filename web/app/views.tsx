import type { ComponentType } from 'preact';
import { ClusterView } from '../cluster/cluster.tsx';
import { GroupView } from '../groups/group.tsx';
import { JobView } from '../job/job.tsx';
import { JobsView } from '../jobs/jobs.tsx';
import { Overview } from '../overview/overview.tsx';
import { Empty } from '../parts/states.tsx';
import { SqlView } from '../sql/sql.tsx';
import { TrajectoryView } from '../trajectory/trajectory.tsx';

/** Entries of the navigation: the first part of the path, and the name. */
export const SECTIONS = [
  { path: '', name: 'Overview', view: Overview },
  { path: 'jobs', name: 'Jobs', view: JobsView },
  { path: 'cluster', name: 'Cluster', view: ClusterView },
  { path: 'sql', name: 'SQL', view: SqlView },
] as const satisfies readonly { path: string; name: string; view: ComponentType }[];

/** What is shown at a place. */
export function View({ parts }: { parts: readonly string[] }): preact.JSX.Element {
  const [first = '', id, kind, member] = parts;
  if (first === 'jobs' && id !== undefined) {
    if (kind === undefined) return <JobView key={id} id={id} />;
    if (kind === 'trajectories' && member !== undefined) return <TrajectoryView key={member} job={id} id={member} />;
    if (kind === 'groups' && member !== undefined) return <GroupView key={member} job={id} id={member} />;
  }
  const section = SECTIONS.find(({ path }) => path === first);
  if (section !== undefined && id === undefined) {
    const Section = section.view;
    return <Section />;
  }
  return <Empty title="There is nothing here">The address names no view of the workbench.</Empty>;
}
