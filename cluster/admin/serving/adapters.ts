import type { MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { MillraceError } from '../../../src/errors.ts';
import {
  AdapterStatus,
  type AdapterSchema,
  type GetAdapterRequest,
  type ListAdaptersRequest,
  type PromoteAdapterRequest,
  type PublishAdapterRequest,
  type RollBackAdapterRequest,
} from '../../../src/gen/millrace/v1/adapters_pb.ts';
import { adapterNamed, promoted, rolledBack, withAdapter, type Adapter } from '../../../src/jobs/adapters/registry.ts';
import type { AgentRecord } from '../../jobs/agents.ts';
import { checkAgentName, checkOwner } from '../validation.ts';
import { adapterOf } from './adapter-of.ts';
import type { ServingContext } from './context.ts';
import { liveOf, served } from './live.ts';

type AdapterMessage = MessageInitShape<typeof AdapterSchema>;

/** The part of the admin API about published policies. */
export interface AdaptersApi {
  publish(request: PublishAdapterRequest): Promise<{ adapter: AdapterMessage }>;
  get(request: GetAdapterRequest): Promise<{ adapter: AdapterMessage }>;
  list(request: ListAdaptersRequest): Promise<{ adapters: AdapterMessage[] }>;
  promote(request: PromoteAdapterRequest): Promise<{ adapter: AdapterMessage }>;
  rollBack(request: RollBackAdapterRequest): Promise<{ adapter: AdapterMessage }>;
}

/** Published policies over the records of agents; any coordinator answers. */
export function adaptersApi(context: ServingContext): AdaptersApi {
  const { agents, clock } = context;
  return {
    async publish(request) {
      const agent = await agents.get(checkAgentName(request.agent, 'agent'));
      const owner = checkOwner(request.owner);
      if (request.live) checkFree(agent);
      const adapter = await adapterOf(context, { agent, version: request.version, owner });
      const next = await agents.update(agent.name, (newest) => {
        if (request.live) checkFree(newest);
        return served(withAdapter(newest, adapter, request.live || newest.adapters.length === 0));
      });
      return { adapter: adapterMessage(next.name, adapterNamed(next, next.name, adapter.name)) };
    },
    async get({ agent: name, version }) {
      const agent = await agents.get(checkAgentName(name, 'agent'));
      return { adapter: adapterMessage(agent.name, version === '' ? liveOf(agent) : adapterNamed(agent, agent.name, version)) };
    },
    async list({ agent }) {
      const listed = agent === '' ? await agents.list() : [await agents.get(checkAgentName(agent, 'agent'))];
      return { adapters: listed.flatMap(({ name, adapters }) => adapters.map((adapter) => adapterMessage(name, adapter))) };
    },
    async promote({ agent: name, version }) {
      const agent = await agents.update(checkAgentName(name, 'agent'), (newest) => {
        if (adapterNamed(newest, newest.name, version).status === 'live') return newest;
        checkFree(newest);
        return served(promoted(newest, version, clock.now()));
      });
      return { adapter: adapterMessage(agent.name, liveOf(agent)) };
    },
    async rollBack({ agent: name, version }) {
      const agent = await agents.update(checkAgentName(name, 'agent'), (newest) => {
        const from = version === '' ? liveOf(newest).name : version;
        const next = rolledBack(newest, { agent: newest.name, from, now: clock.now() });
        if (next === newest) return newest;
        checkFree(newest);
        return served(next);
      });
      return { adapter: adapterMessage(agent.name, liveOf(agent)) };
    },
  };
}

function checkFree({ name, experiment }: AgentRecord): void {
  if (experiment === '') return;
  const message = `Experiment "${experiment}" has the tasks of agent "${name}": end it first, with \`millrace experiment decide\` or \`stop\`.`;
  throw new MillraceError('failed_precondition', message, { field: 'agent' });
}

const STATUS = { candidate: AdapterStatus.CANDIDATE, live: AdapterStatus.LIVE, retired: AdapterStatus.RETIRED } as const;

function adapterMessage(agent: string, adapter: Adapter): AdapterMessage {
  const { name, checkpoint, code = '', parent, owner, status, validation, test, publishedAt, updatedAt } = adapter;
  return {
    ...{ agent, version: name, checkpointDigest: checkpoint, codeDigest: code, parent, owner, status: STATUS[status] },
    ...(validation && { validation }),
    ...(test && { test }),
    ...{ publishTime: timestampFromMs(publishedAt), updateTime: timestampFromMs(updatedAt) },
  };
}
