import { nodes } from '../api/live.ts';
import { call } from '../api/rpc.ts';
import type { Actor, ClusterNode, DeadLetter } from '../api/types.ts';
import { ago, bytes, count, duration, figure } from '../parts/format.ts';
import { useLoaded } from '../parts/load.ts';
import { Empty, Panel, Skeleton, WhenLoaded } from '../parts/states.tsx';
import { Table } from '../parts/table.tsx';

/** The processes of the cluster, what runs in them, and what was given up. */
export function ClusterView(): preact.JSX.Element {
  const known = nodes.value;
  const newest = [...(known?.values() ?? [])]
    .map(({ heartbeatTime = '' }) => heartbeatTime)
    .sort()
    .at(-1);
  const actors = useLoaded((signal) => call<{ actors?: Actor[] }>('admin.ListActors', {}, signal), [], newest);
  const letters = useLoaded(
    (signal) => call<{ deadLetters?: DeadLetter[] }>('admin.ListDeadLetters', { pageSize: 100 }, signal),
    [],
    newest,
  );
  return (
    <>
      <h1>Cluster</h1>
      <Panel title="Nodes">{known === undefined ? <Skeleton lines={5} /> : <Nodes entries={[...known.values()]} />}</Panel>
      <Panel title="Actors" note="What each waits for, and what waits for it.">
        <WhenLoaded of={actors}>
          {({ actors: all = [] }) => (all.length === 0 ? <Empty title="No actor is known" /> : <Actors entries={all} />)}
        </WhenLoaded>
      </Panel>
      <Panel title="Dead letters" note="Messages that were given up; millrace dlq replay publishes them again.">
        <WhenLoaded of={letters}>
          {({ deadLetters = [] }) =>
            deadLetters.length === 0 ? <Empty title="No message was given up" /> : <Letters entries={deadLetters} />
          }
        </WhenLoaded>
      </Panel>
    </>
  );
}

function Nodes({ entries }: { entries: readonly ClusterNode[] }): preact.JSX.Element {
  return (
    <Table
      label="Nodes"
      keyOf={({ id }) => id}
      entries={[...entries].sort((a, b) => a.id.localeCompare(b.id))}
      columns={[
        { name: 'Node', head: true, cell: ({ id }) => id },
        { name: 'Roles', cell: ({ roles = [] }) => roles.join(', ') },
        { name: 'Started', right: true, cell: ({ startTime }) => ago(startTime) },
        { name: 'Memory', right: true, cell: ({ rssBytes }) => bytes(rssBytes) },
        { name: 'Processor', right: true, cell: ({ cpuSeconds }) => duration(cpuSeconds ?? 0) },
        { name: 'Loop delay', right: true, cell: ({ eventLoopDelayMs }) => `${figure(eventLoopDelayMs ?? 0, 2)} ms` },
        { name: 'Address', wide: true, cell: ({ address }) => address ?? '' },
        {
          name: 'Labels',
          wide: true,
          cell: ({ labels = {} }) =>
            Object.entries(labels)
              .map(([name, value]) => `${name}=${value}`)
              .join(' '),
        },
      ]}
    />
  );
}

function Actors({ entries }: { entries: readonly Actor[] }): preact.JSX.Element {
  return (
    <Table
      label="Actors"
      keyOf={({ address }) => address}
      entries={entries}
      columns={[
        { name: 'Actor', head: true, cell: ({ address }) => address },
        { name: 'State', cell: ({ state }) => state ?? '' },
        { name: 'Waiting', right: true, cell: ({ mailboxDepth }) => mailboxDepth ?? 0 },
        { name: 'In flight', right: true, cell: ({ inFlight }) => inFlight ?? 0 },
        { name: 'Messages', right: true, wide: true, cell: ({ messages }) => count(messages ?? 0) },
        { name: 'Restarts', right: true, cell: ({ restarts }) => restarts ?? 0 },
        { name: 'Waits for', wide: true, cell: ({ waitingFor, lastError }) => lastError ?? waitingFor ?? '' },
      ]}
    />
  );
}

function Letters({ entries }: { entries: readonly DeadLetter[] }): preact.JSX.Element {
  return (
    <Table
      label="Dead letters"
      keyOf={({ id }) => id}
      entries={entries}
      columns={[
        { name: 'Number', head: true, cell: ({ id }) => id },
        { name: 'Stream', cell: ({ stream }) => stream ?? '' },
        { name: 'Subject', wide: true, cell: ({ subject }) => subject ?? '' },
        { name: 'Why', cell: ({ reason }) => reason ?? '' },
        { name: 'Deliveries', right: true, cell: ({ deliveries }) => deliveries ?? 0 },
        { name: 'Given up', right: true, cell: ({ time }) => ago(time) },
      ]}
    />
  );
}
