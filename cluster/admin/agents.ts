import type { MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { MillraceError } from '../../src/errors.ts';
import type { RegisterAgentRequest, RegisteredAgentSchema } from '../../src/gen/millrace/v1/admin_pb.ts';
import { AGENT_NAME, type AgentRecord } from '../jobs/agents.ts';
import type { AdminBackend } from './backend.ts';
import { checkBundle, checkOwner } from './validation.ts';

type AgentMessage = MessageInitShape<typeof RegisteredAgentSchema>;

/** `RegisterAgent`: names the flow of an uploaded bundle. */
export async function registerAgent(backend: AdminBackend, request: RegisterAgentRequest): Promise<AgentMessage> {
  const name = checkAgentName(request.name);
  const owner = checkOwner(request.owner);
  const bundle = checkBundle(request.bundleDigest);
  if (bundle === undefined)
    throw new MillraceError('invalid_argument', 'is missing; upload the bundle of the flow first.', { field: 'bundle_digest' });
  return agentMessage(await backend.agents.register({ name, owner, bundle, ...(await backend.bundledFlow(bundle)) }));
}

/** An agent's name. `invalid_argument` with `field` for what is none. */
export function checkAgentName(name: string, field = 'name'): string {
  if (AGENT_NAME.test(name)) return name;
  const shown = JSON.stringify(name.slice(0, 60));
  throw new MillraceError('invalid_argument', `${shown} is no agent's name: use 1 to 40 lower-case letters, digits and "-".`, {
    field,
  });
}

export function agentMessage({ bundle, createdAt, updatedAt, ...agent }: AgentRecord): AgentMessage {
  const { name, flow, owner, servedVersion, takesQueries } = agent;
  const times = { createTime: timestampFromMs(createdAt), updateTime: timestampFromMs(updatedAt) };
  return { name, flow, owner, servedVersion, takesQueries, bundleDigest: bundle, ...times };
}
