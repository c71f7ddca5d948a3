import type { IDeployment, IStatefulSet } from 'kubernetes-models/apps/v1';
import type { IPersistentVolumeClaim, IPodTemplateSpec, IService } from 'kubernetes-models/v1';
import type { RoleName } from '../../src/protocol/roles.ts';
import type { ManifestsConfig } from './config.ts';
import { CONTAINER_SECURITY, metadata, POD_SECURITY, PORTS, resources, secretName, selector, spread } from './metadata.ts';
import { settingsDigest } from './settings.ts';

/** Longer than a drain takes (`--drain-timeout`, 20 s). */
const GRACE_SECONDS = 30;
const STATE = '/var/lib/millrace/state';
const ARTIFACTS = '/var/lib/millrace/artifacts';

/** What differs between the roles. */
interface NodeKind {
  role: RoleName;
  replicas: number;
  resources: { cpu: string; memory: string };
  /** Default: the role. */
  image?: string;
  /** Claim for the state folder. Default: it is empty at each start. */
  claim?: IPersistentVolumeClaim;
  gpu?: ManifestsConfig['learner']['gpu'];
}

/** The pods of every role. */
export function nodes(config: ManifestsConfig): (IStatefulSet | IDeployment | IService)[] {
  const { coordinator, parameterServer, learner, rollout, reward, gateway, store } = config;
  const engine = store.clickhouseUrl === undefined;
  return [
    ...stateful(config, { role: 'coordinator', ...coordinator }),
    service(config, 'coordinator', 'millrace-admin', PORTS.grpc),
    ...stateful(config, { role: 'parameter-server', ...parameterServer }),
    ...stateful(config, {
      role: 'store',
      // The embedded engine is one process's; several stores would need a ClickHouse server, and one keeps up with that.
      ...{ replicas: 1, resources: store.resources },
      ...(engine && { claim: claimOf(store.volume) }),
    }),
    deployment(config, {
      role: 'learner',
      ...learner,
      ...(learner.gpu && { image: 'learner-cuda' }),
    }),
    deployment(config, { role: 'rollout', ...rollout }, rollout.scaling !== undefined),
    deployment(config, { role: 'reward', ...reward }, reward.scaling !== undefined),
    deployment(config, { role: 'gateway', ...gateway }),
    service(config, 'gateway', 'millrace-gateway', PORTS.gateway),
  ];
}

function stateful(config: ManifestsConfig, kind: NodeKind): [IStatefulSet, IService] {
  const { role, replicas, claim } = kind;
  return [
    {
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      metadata: metadata(config, `millrace-${role}`, role),
      spec: {
        serviceName: role,
        replicas,
        podManagementPolicy: 'Parallel',
        selector: { matchLabels: selector(role) },
        template: template(config, kind),
        ...(claim && { volumeClaimTemplates: [claim] }),
      },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: metadata(config, role, role),
      // A node is called under its name before it is ready: that is when others help it to become so.
      spec: {
        clusterIP: 'None',
        publishNotReadyAddresses: true,
        selector: selector(role),
        ports: [{ name: 'grpc', port: PORTS.grpc }],
      },
    },
  ];
}

/** @param scaled - whether something else says how many pods there are */
function deployment(config: ManifestsConfig, kind: NodeKind, scaled = false): IDeployment {
  const { role, replicas } = kind;
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: metadata(config, `millrace-${role}`, role),
    spec: {
      ...(!scaled && { replicas }),
      revisionHistoryLimit: 5,
      selector: { matchLabels: selector(role) },
      template: template(config, kind),
    },
  };
}

function service(config: ManifestsConfig, role: RoleName, name: string, port: number): IService {
  const spec = { selector: selector(role), ports: [{ name: port === PORTS.grpc ? 'grpc' : 'http', port }] };
  return { apiVersion: 'v1', kind: 'Service', metadata: metadata(config, name, role), spec };
}

function template(config: ManifestsConfig, kind: NodeKind): IPodTemplateSpec {
  const { role, image = role, gpu } = kind;
  const { images } = config;
  return {
    metadata: {
      labels: selector(role),
      annotations: {
        'millrace.dev/settings': settingsDigest(config),
        'prometheus.io/scrape': 'true',
        'prometheus.io/port': String(PORTS.http),
      },
    },
    spec: {
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      securityContext: POD_SECURITY,
      terminationGracePeriodSeconds: GRACE_SECONDS,
      topologySpreadConstraints: spread(role),
      ...(images.pullSecret !== undefined && { imagePullSecrets: [{ name: images.pullSecret }] }),
      ...(gpu && {
        nodeSelector: gpu.nodeSelector,
        tolerations: [{ key: gpu.taint, operator: 'Exists', effect: 'NoSchedule' }],
      }),
      containers: [
        {
          name: role,
          image: `${images.prefix}-${image}:${images.version}`,
          args: ['node', 'run', '--roles', role, '--id', '$(POD_NAME)', '--config', '/etc/millrace/cluster.yaml'],
          env: environment(config, role),
          ports: portsOf(role),
          resources: resources(kind.resources, gpu && { [gpu.resource]: '1' }),
          securityContext: CONTAINER_SECURITY,
          startupProbe: { ...probe('/healthz'), periodSeconds: 2, failureThreshold: 90 },
          livenessProbe: { ...probe('/healthz'), periodSeconds: 10, failureThreshold: 3 },
          readinessProbe: { ...probe('/readyz'), periodSeconds: 5, failureThreshold: 2 },
          volumeMounts: mounts(config),
        },
      ],
      volumes: volumes(config, kind),
    },
  };
}

const probe = (path: string) => ({ httpGet: { path, port: PORTS.http }, timeoutSeconds: 5 });

function environment({ artifacts, store }: ManifestsConfig, role: RoleName) {
  const fromPod = (name: string, fieldPath: string) => ({ name, valueFrom: { fieldRef: { fieldPath } } });
  const fromSecret = (name: string, secret: string, key: string) => {
    return { name, valueFrom: { secretKeyRef: { name: secret, key, optional: true } } };
  };
  const named = role === 'coordinator' || role === 'parameter-server' || role === 'store';
  return [
    fromPod('POD_NAME', 'metadata.name'),
    ...(named ? [] : [fromPod('POD_IP', 'status.podIP')]),
    { name: 'MILLRACE_CLUSTER__NETWORK__ADVERTISE', value: named ? `$(POD_NAME).${role}` : '$(POD_IP)' },
    ...('url' in artifacts
      ? ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'].map((name) => fromSecret(name, 'millrace-artifacts', name))
      : []),
    ...(role === 'store' && store.clickhouseUrl !== undefined
      ? ['CLICKHOUSE_USER', 'CLICKHOUSE_PASSWORD'].map((name) => fromSecret(name, 'millrace-clickhouse', name))
      : []),
  ];
}

function portsOf(role: RoleName) {
  const serves = role === 'coordinator' || role === 'parameter-server' || role === 'store';
  return [
    { name: 'metrics', containerPort: PORTS.http },
    ...(serves ? [{ name: 'grpc', containerPort: PORTS.grpc }] : []),
    ...(role === 'gateway' ? [{ name: 'http', containerPort: PORTS.gateway }] : []),
  ];
}

function mounts({ artifacts }: ManifestsConfig) {
  return [
    { name: 'settings', mountPath: '/etc/millrace', readOnly: true },
    { name: 'credentials', mountPath: '/run/secrets/millrace', readOnly: true },
    { name: 'state', mountPath: STATE },
    { name: 'tmp', mountPath: '/tmp' },
    ...('url' in artifacts ? [] : [{ name: 'artifacts', mountPath: ARTIFACTS }]),
  ];
}

function volumes({ artifacts }: ManifestsConfig, { role, claim }: NodeKind) {
  return [
    { name: 'settings', configMap: { name: 'millrace' } },
    // Readable by the container's group only: nodes refuse credentials that every account can read.
    { name: 'credentials', secret: { secretName: secretName(role), defaultMode: 0o440 } },
    ...(claim ? [] : [{ name: 'state', emptyDir: {} }]),
    { name: 'tmp', emptyDir: {} },
    ...('url' in artifacts ? [] : [{ name: 'artifacts', persistentVolumeClaim: { claimName: 'millrace-artifacts' } }]),
  ];
}

function claimOf({ size, storageClass }: { size: string; storageClass?: string | undefined }): IPersistentVolumeClaim {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: 'state' },
    spec: {
      accessModes: ['ReadWriteOnce'],
      ...(storageClass !== undefined && { storageClassName: storageClass }),
      resources: { requests: { storage: size } },
    },
  };
}
