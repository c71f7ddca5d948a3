import type { AdminService, RegisteredAgent } from '../gen/millrace/v1/admin_pb.ts';
import type { ServiceClient } from '../rpc/client.ts';
import type { CallOptions } from '../rpc/options.ts';
import { answered } from './answered.ts';
import { uploadFlow, type FlowSource, type UploadedFlow } from './upload.ts';

/** Options of {@link AgentsClient.register}. */
export interface RegisterAgentOptions extends CallOptions {
  /** Default "local". */
  owner?: string | undefined;
}

/** Flows under a name, which jobs of JSON-RPC are created by (docs/json-rpc.md). */
export interface AgentsClient {
  /** Uploads the flow, unless it is in the cluster, and names it; the same name again replaces what it runs. */
  register(name: string, flow: FlowSource | UploadedFlow, options?: RegisterAgentOptions): Promise<RegisteredAgent>;
  /** `not_found` when there is none of that name. */
  get(name: string, options?: CallOptions): Promise<RegisteredAgent>;
  /** By name. */
  list(options?: CallOptions): Promise<RegisteredAgent[]>;
}

/** The registered agents of a cluster. */
export function agentsClient(admin: ServiceClient<typeof AdminService>): AgentsClient {
  return {
    async register(name, flow, { owner = '', ...options } = {}) {
      const { bundle } = 'bundle' in flow ? flow : await uploadFlow(admin, flow, options);
      const answer = await admin.registerAgent({ name, bundleDigest: bundle, owner }, { timeoutMs: 60_000, ...options });
      return answered(answer.agent, 'an agent');
    },
    get: async (name, options) => answered((await admin.getAgent({ name }, options)).agent, 'an agent'),
    list: async (options) => (await admin.listAgents({}, options)).agents,
  };
}
