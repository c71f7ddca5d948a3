import type { RoleName } from '../../src/protocol/roles.ts';
import type { ManifestsConfig } from './config.ts';

/** What runs in the cluster. */
export type Part = RoleName | 'nats';

/** Ports that are the same everywhere. */
export const PORTS = { grpc: 7000, gateway: 8080, http: 9464, nats: 4222, routes: 6222, natsMonitor: 8222 } as const;

/** Labels that tell the pods of a part from all others. */
export const selector = (part: Part): Record<string, string> => ({
  'app.kubernetes.io/name': 'millrace',
  'app.kubernetes.io/component': part,
});

/** Labels of everything that belongs to Millrace. */
export const ALL_PODS: Record<string, string> = { 'app.kubernetes.io/name': 'millrace' };

/** Name, namespace and labels of an object. */
export function metadata(
  { namespace }: ManifestsConfig,
  name: string,
  part?: Part,
): { name: string; namespace: string; labels: Record<string, string> } {
  return { name, namespace, labels: part === undefined ? ALL_PODS : selector(part) };
}

/** Name of the secret with the files of a part. */
export const secretName = (part: Part): string => `millrace-${part}`;

/** No pod has more rights than it needs: the restricted level of the Pod Security Standards. */
export const POD_SECURITY = {
  runAsNonRoot: true,
  runAsUser: 1000,
  runAsGroup: 1000,
  fsGroup: 1000,
  seccompProfile: { type: 'RuntimeDefault' },
} as const;

/** See {@link POD_SECURITY}. */
export const CONTAINER_SECURITY = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ['ALL'] },
};

/** Memory is limited to what is requested, cores are not: what others leave is used. */
export function resources({ cpu, memory }: { cpu: string; memory: string }, extra: Record<string, string> = {}) {
  return { requests: { cpu, memory, ...extra }, limits: { memory, ...extra } };
}

/** Spreads the pods of a part over hosts. */
export const spread = (part: Part) => [
  {
    maxSkew: 1,
    topologyKey: 'kubernetes.io/hostname',
    whenUnsatisfiable: 'ScheduleAnyway' as const,
    labelSelector: { matchLabels: selector(part) },
  },
];
