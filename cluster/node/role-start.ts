import type { ComputeInfo } from '../../src/compute/backend.ts';
import type { RoleName } from '../../src/protocol/roles.ts';
import type { Listening } from '../../src/http/listening.ts';
import type { ServiceRegistration } from '../../src/rpc/handlers.ts';
import type { NodeContext } from '../runtime/context.ts';
import type { NodeList } from '../runtime/nodes.ts';
import type { SettingsOf } from '../runtime/settings/roles.ts';
import type { NodeHistory } from '../runtime/settings/start.ts';

/** What the roles of a node share, and where they leave what the node must know. */
export interface NodeStart {
  context: NodeContext;
  history: NodeHistory;
  /** There for coordinators. */
  nodes: NodeList | undefined;
  /** There for rollouts and learners. */
  compute: ComputeInfo | undefined;
  /** Where servers of the role listen, and what they are called. */
  listening: Listening;
  /** gRPC services that the node is to serve. */
  services: ServiceRegistration[];
  /** Called when the node stops, before the roles. */
  closers: (() => void)[];
  /** Called with what a person must learn, while the node goes on. */
  onTrouble?: ((text: string) => void) | undefined;
}

/** What a role starts with. */
export interface RoleStart<R extends RoleName> extends NodeStart {
  settings: SettingsOf<R>;
}
