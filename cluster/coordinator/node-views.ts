import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { MillraceError } from '../../src/errors.ts';
import { ActorSchema, NodeSchema, type Actor, type Node } from '../../src/gen/millrace/v1/admin_pb.ts';
import type { NodeInfo, NodeList } from '../runtime/nodes.ts';

/** The nodes that are alive, as the admin API shows them. */
export function nodeViews(nodes: NodeList): Node[] {
  return nodes.list().map(toNode);
}

/** What runs inside one node, or inside all when `nodeId` is undefined. `not_found` when there is no such node. */
export function actorViews(nodes: NodeList, nodeId: string | undefined): Actor[] {
  const asked = nodes.list().filter((node) => nodeId === undefined || node.id === nodeId);
  if (nodeId !== undefined && asked.length === 0) {
    throw new MillraceError('not_found', `There is no node "${nodeId}". \`millrace node list\` shows the nodes.`, {
      field: 'node_id',
    });
  }
  return asked.flatMap(({ actors }) =>
    actors.map((actor) => create(ActorSchema, { ...actor, messages: BigInt(actor.messages) })),
  );
}

function toNode(info: NodeInfo): Node {
  return create(NodeSchema, {
    id: info.id,
    roles: info.roles,
    pid: info.pid,
    address: info.address,
    startTime: timestampFromMs(info.startedAt),
    heartbeatTime: timestampFromMs(info.heartbeatAt),
    rssBytes: BigInt(info.rssBytes),
    peakRssBytes: BigInt(info.peakRssBytes),
    cpuSeconds: info.cpuSeconds,
    eventLoopDelayMs: info.eventLoopDelayMs,
    labels: info.labels,
  });
}
