import { createHash } from 'node:crypto';
import { stringify } from 'yaml';
import type { IConfigMap, IPersistentVolumeClaim, ISecret, INamespace } from 'kubernetes-models/v1';
import type { ManifestsConfig } from './config.ts';
import { ALL_PODS, metadata, PORTS, secretName, type Part } from './metadata.ts';

/** The names of the NATS servers within the namespace. */
function natsUrls({ nats }: ManifestsConfig): string[] {
  return Array.from({ length: nats.servers }, (_, at) => `nats://nats-${at}.nats:${PORTS.nats}`);
}

/** `cluster.yaml` of all nodes. */
function clusterSettings(config: ManifestsConfig): object {
  const { artifacts, store } = config;
  return {
    nats: { url: natsUrls(config).join(','), replicas: 3 },
    network: { bind: '0.0.0.0', grpcPort: PORTS.grpc, httpPort: PORTS.http, insecure: true },
    ports: { gateway: PORTS.gateway },
    credentialsDir: '/run/secrets/millrace',
    stateDir: '/var/lib/millrace/state',
    artifacts: 'url' in artifacts ? artifacts : { dir: '/var/lib/millrace/artifacts' },
    ...(store.clickhouseUrl !== undefined && { clickhouse: { url: store.clickhouseUrl } }),
  };
}

/** Changes with the settings and secrets, so that pods with others are replaced. */
export function settingsDigest(config: ManifestsConfig): string {
  const text = JSON.stringify([clusterSettings(config), config.secrets ?? {}]);
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

/** Namespace, settings, secrets and the volume of artifacts. */
export function foundation(config: ManifestsConfig): (INamespace | IConfigMap | ISecret | IPersistentVolumeClaim)[] {
  const { namespace, artifacts, secrets } = config;
  return [
    {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: namespace, labels: { ...ALL_PODS, 'pod-security.kubernetes.io/enforce': 'restricted' } },
    },
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: metadata(config, 'millrace'),
      data: { 'cluster.yaml': stringify(clusterSettings(config)) },
    },
    ...Object.entries(secrets ?? {}).map(([part, files]): ISecret => ({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: metadata(config, secretName(part as Part), part as Part),
      type: 'Opaque',
      stringData: files,
    })),
    ...('url' in artifacts ? [] : [artifactsClaim(config, artifacts)]),
  ];
}

function artifactsClaim(
  config: ManifestsConfig,
  { size, storageClass }: { size: string; storageClass?: string | undefined },
): IPersistentVolumeClaim {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: metadata(config, 'millrace-artifacts'),
    spec: {
      accessModes: ['ReadWriteMany'],
      ...(storageClass !== undefined && { storageClassName: storageClass }),
      resources: { requests: { storage: size } },
    },
  };
}
