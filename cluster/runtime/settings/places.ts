import type { ClusterConfig } from '../../../src/config/cluster.ts';
import type { NodeSettings } from './node.ts';

/** Where a cluster's settings have bundles and checkpoints kept; undefined for the state folder. */
export function artifactPlace({ url, dir, endpoint, region }: ClusterConfig['artifacts']): NodeSettings['artifacts'] {
  if (dir !== undefined) return { dir };
  return url === undefined
    ? undefined
    : { url, ...(endpoint !== undefined && { endpoint }), ...(region !== undefined && { region }) };
}
