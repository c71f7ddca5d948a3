import type { MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { MillraceError } from '../../src/errors.ts';
import type { RegisterAgentRequest, RegisteredAgentSchema } from '../../src/gen/millrace/v1/admin_pb.ts';
import type { AgentRecord } from '../jobs/agents.ts';
import type { AdminBackend } from './backend.ts';
import { checkAgentName, checkBundle, checkOwner } from './validation.ts';

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

export function agentMessage({ bundle, createdAt, updatedAt, ...agent }: AgentRecord): AgentMessage {
  const { name, flow, owner, servedVersion, takesQueries } = agent;
  const times = { createTime: timestampFromMs(createdAt), updateTime: timestampFromMs(updatedAt) };
  return { name, flow, owner, servedVersion, takesQueries, bundleDigest: bundle, ...times };
}
