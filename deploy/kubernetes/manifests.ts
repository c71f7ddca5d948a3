import { check } from '../../src/config/problems.ts';
import { manifestsSchema, type ManifestsInput } from './config.ts';
import { nats } from './nats.ts';
import { networkPolicies } from './network.ts';
import { nodes } from './nodes.ts';
import { disruptionBudgets, scaledObjects, type ScaledObject } from './scaling.ts';
import { foundation } from './settings.ts';

/** One object that Kubernetes is given. */
export type Manifest =
  | ReturnType<typeof foundation>[number]
  | ReturnType<typeof nats>[number]
  | ReturnType<typeof nodes>[number]
  | ReturnType<typeof networkPolicies>[number]
  | ReturnType<typeof disruptionBudgets>[number]
  | ScaledObject;

/**
 * The objects of a cluster, in an order in which they can be made. The same input gives the same objects.
 *
 * @param input - see `config.ts`; everything has a default
 * @throws MillraceError `invalid_argument` with a line for each problem
 */
export function manifests(input: ManifestsInput = {}): Manifest[] {
  const config = check(manifestsSchema, input, 'manifests', () => undefined);
  return [
    ...foundation(config),
    ...networkPolicies(config),
    ...nats(config),
    ...nodes(config),
    ...disruptionBudgets(config),
    ...scaledObjects(config),
  ];
}
