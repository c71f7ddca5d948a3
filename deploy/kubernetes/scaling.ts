import type { IPodDisruptionBudget } from 'kubernetes-models/policy/v1';
import { MAIN_ACCOUNT } from '../../cluster/infra/nats/configuration.ts';
import { REWARD_WORK, ROLLOUT_WORK, type DurablePlace } from '../../src/protocol/durables.ts';
import type { ManifestsConfig } from './config.ts';
import { metadata, PORTS, selector, type Part } from './metadata.ts';

/** KEDA's resource, as far as we write it: https://keda.sh/docs/latest/scalers/nats-jetstream/ */
export interface ScaledObject {
  apiVersion: 'keda.sh/v1alpha1';
  kind: 'ScaledObject';
  metadata: { name: string; namespace: string; labels: Record<string, string> };
  spec: {
    scaleTargetRef: { name: string };
    minReplicaCount: number;
    maxReplicaCount: number;
    pollingInterval: number;
    cooldownPeriod: number;
    triggers: { type: 'nats-jetstream'; metadata: Record<string, string> }[];
  };
}

/** Scales rollouts and rewards by what waits for each, where the configuration asks for it. */
export function scaledObjects(config: ManifestsConfig): ScaledObject[] {
  const { rollout, reward } = config;
  return [
    ...(rollout.scaling ? [scaledObject(config, 'rollout', ROLLOUT_WORK, rollout.scaling)] : []),
    ...(reward.scaling ? [scaledObject(config, 'reward', REWARD_WORK, reward.scaling)] : []),
  ];
}

function scaledObject(
  config: ManifestsConfig,
  part: Part,
  { stream, durable }: DurablePlace,
  { min, max, lag }: { min: number; max: number; lag: number },
): ScaledObject {
  return {
    apiVersion: 'keda.sh/v1alpha1',
    kind: 'ScaledObject',
    metadata: metadata(config, `millrace-${part}`, part),
    spec: {
      scaleTargetRef: { name: `millrace-${part}` },
      minReplicaCount: min,
      maxReplicaCount: max,
      pollingInterval: 10,
      // A worker is kept for a while: the next round sends more.
      cooldownPeriod: 120,
      triggers: [
        {
          type: 'nats-jetstream',
          metadata: {
            natsServerMonitoringEndpoint: `nats.${config.namespace}.svc.cluster.local:${PORTS.natsMonitor}`,
            account: MAIN_ACCOUNT,
            stream,
            consumer: durable,
            lagThreshold: String(lag),
            activationLagThreshold: '0',
            useHttps: 'false',
          },
        },
      ],
    },
  };
}

/** What a drain of hosts leaves running. */
export function disruptionBudgets(config: ManifestsConfig): IPodDisruptionBudget[] {
  const { coordinator, gateway } = config;
  const budget = (part: Part, maxUnavailable: number | string): IPodDisruptionBudget => ({
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: metadata(config, part === 'nats' ? part : `millrace-${part}`, part),
    spec: { maxUnavailable, selector: { matchLabels: selector(part) } },
  });
  return [
    // A majority of the servers is what keeps every stream.
    budget('nats', 1),
    ...(coordinator.replicas > 1 ? [budget('coordinator', 1)] : []),
    ...(gateway.replicas > 1 ? [budget('gateway', 1)] : []),
    budget('learner', '50%'),
    budget('rollout', '25%'),
    budget('reward', '25%'),
  ];
}
