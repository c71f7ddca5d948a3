import type { ClusterNode } from '../api/types.ts';
import { bytes, figure } from '../parts/format.ts';
import { Empty } from '../parts/states.tsx';
import { Table } from '../parts/table.tsx';

interface Role {
  name: string;
  nodes: ClusterNode[];
}

/** The nodes by what they host. */
export function Roles({ nodes }: { nodes: readonly ClusterNode[] }): preact.JSX.Element {
  if (nodes.length === 0) return <Empty title="No node is known yet" />;
  const roles = new Map<string, Role>();
  for (const node of nodes)
    for (const name of node.roles ?? []) roles.set(name, { name, nodes: [...(roles.get(name)?.nodes ?? []), node] });
  return (
    <Table
      label="Nodes by role"
      keyOf={({ name }) => name}
      entries={[...roles.values()].sort((a, b) => a.name.localeCompare(b.name))}
      columns={[
        { name: 'Role', head: true, cell: ({ name }) => name },
        { name: 'Nodes', right: true, cell: ({ nodes: of }) => of.length },
        {
          name: 'Memory',
          right: true,
          cell: ({ nodes: of }) => bytes(of.reduce((sum, { rssBytes }) => sum + Number(rssBytes ?? 0), 0)),
        },
        {
          name: 'Loop delay',
          right: true,
          cell: ({ nodes: of }) => `${figure(Math.max(...of.map(({ eventLoopDelayMs }) => eventLoopDelayMs ?? 0)), 2)} ms`,
        },
      ]}
    />
  );
}
