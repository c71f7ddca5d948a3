import type { IStatefulSet } from 'kubernetes-models/apps/v1';
import type { IService } from 'kubernetes-models/v1';
import type { ManifestsConfig } from './config.ts';
import { CONTAINER_SECURITY, metadata, POD_SECURITY, PORTS, resources, secretName, selector, spread } from './metadata.ts';

/** NATS servers with JetStream: one cluster. Their configuration has the passwords, so that it is a secret. */
export function nats(config: ManifestsConfig): [IStatefulSet, IService] {
  const { servers, volume } = config.nats;
  const part = 'nats' as const;
  return [
    {
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      metadata: metadata(config, part, part),
      spec: {
        serviceName: part,
        replicas: servers,
        podManagementPolicy: 'Parallel',
        selector: { matchLabels: selector(part) },
        template: {
          metadata: { labels: selector(part) },
          spec: {
            automountServiceAccountToken: false,
            enableServiceLinks: false,
            securityContext: POD_SECURITY,
            terminationGracePeriodSeconds: 60,
            topologySpreadConstraints: spread(part),
            containers: [container(config)],
            volumes: [{ name: 'configuration', secret: { secretName: secretName(part), defaultMode: 0o440 } }],
          },
        },
        volumeClaimTemplates: [
          {
            apiVersion: 'v1',
            kind: 'PersistentVolumeClaim',
            metadata: { name: 'data' },
            spec: {
              accessModes: ['ReadWriteOnce'],
              ...(volume.storageClass !== undefined && { storageClassName: volume.storageClass }),
              resources: { requests: { storage: volume.size } },
            },
          },
        ],
      },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: metadata(config, part, part),
      spec: {
        clusterIP: 'None',
        // Servers find each other before they are ready.
        publishNotReadyAddresses: true,
        selector: selector(part),
        ports: [
          { name: 'client', port: PORTS.nats },
          { name: 'routes', port: PORTS.routes },
          { name: 'monitor', port: PORTS.natsMonitor },
        ],
      },
    },
  ];
}

function container({ images, nats }: ManifestsConfig) {
  const probe = (path: string) => ({ httpGet: { path, port: PORTS.natsMonitor }, timeoutSeconds: 5 });
  const routes = Array.from({ length: nats.servers }, (_, at) => `nats://nats-${at}.nats:${PORTS.routes}`);
  return {
    name: 'nats',
    image: images.nats,
    // KEDA asks the server that leads a queue under its name, which is that of its pod.
    args: [
      ...['--config', '/etc/nats/nats.conf', '--name', '$(POD_NAME)', '--http_port', String(PORTS.natsMonitor)],
      // In place of those of the configuration, which was written for other hosts.
      ...['--routes', routes.join(',')],
    ],
    env: [{ name: 'POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }],
    ports: [
      { name: 'client', containerPort: PORTS.nats },
      { name: 'routes', containerPort: PORTS.routes },
      { name: 'monitor', containerPort: PORTS.natsMonitor },
    ],
    resources: resources(nats.resources),
    securityContext: CONTAINER_SECURITY,
    startupProbe: { ...probe('/healthz?js-enabled-only=true'), periodSeconds: 2, failureThreshold: 90 },
    livenessProbe: { ...probe('/healthz?js-enabled-only=true'), periodSeconds: 10, failureThreshold: 3 },
    // Without this, a rolling restart would go on while streams still catch up.
    readinessProbe: { ...probe('/healthz'), periodSeconds: 5, failureThreshold: 3 },
    volumeMounts: [
      { name: 'configuration', mountPath: '/etc/nats', readOnly: true },
      { name: 'data', mountPath: '/data' },
    ],
  };
}
