import type { ClusterConfig } from '../../../src/config/cluster.ts';
import { credentialsFolder } from '../../infra/credentials.ts';
import type { JoinSettings } from './roles.ts';

/** What a coordinator gives hosts that join; undefined for a cluster without TLS or without servers of its own. */
export function joinSettings(config: ClusterConfig): JoinSettings | undefined {
  const { nats, tls, credentialsDir, stateDir, artifacts } = config;
  if (tls === undefined || nats.url === undefined) return undefined;
  const places = Object.entries(artifacts).filter((entry): entry is [string, string] => typeof entry[1] === 'string');
  return {
    folder: credentialsDir ?? credentialsFolder(stateDir),
    natsUrl: nats.url.replaceAll(/\/\/[^/@,]*@/g, '//'),
    ...(nats.replicas !== undefined && { replicas: nats.replicas }),
    ...(places.length > 0 && { artifacts: Object.fromEntries(places) }),
  };
}
