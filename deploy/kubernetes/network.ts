import type { INetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1';
import { ROLE_NAMES } from '../../src/protocol/roles.ts';
import type { ManifestsConfig } from './config.ts';
import { ALL_PODS, metadata, PORTS, selector, type Part } from './metadata.ts';

/** Label of pods that may call the admin API, e.g. one with the command line. */
const ADMIN_CLIENTS = { 'millrace.dev/admin-client': 'true' };

/** Roles that run code of flows and rewards, which calls tools and models outside. */
const REACH_OUTSIDE: readonly Part[] = ['rollout', 'reward', 'gateway'];

interface Peer {
  podSelector?: object;
  namespaceSelector?: object;
}

const pods = (labels: Record<string, string>): Peer => ({ podSelector: { matchLabels: labels } });
const part = (name: Part): Peer => pods(selector(name));
const namespace = (name: string): Peer => ({
  namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': name } },
});
const tcp = (...numbers: number[]) => numbers.map((port) => ({ port, protocol: 'TCP' as const }));

/** Who may connect to whom: what is not named here is refused. */
export function networkPolicies(config: ManifestsConfig): INetworkPolicy[] {
  const prometheus = { from: [namespace(config.monitoringNamespace)], ports: tcp(PORTS.http) };
  const grpc = (...from: Peer[]) => ({ from, ports: tcp(PORTS.grpc) });
  const into: Partial<Record<Part, object[]>> = {
    coordinator: [grpc(part('gateway'), part('coordinator'), pods(ADMIN_CLIENTS))],
    'parameter-server': [grpc(part('learner'))],
    store: [grpc(part('coordinator'))],
    gateway: [{ ports: tcp(PORTS.gateway) }],
  };
  const nodes = ROLE_NAMES.map((role) => policy(config, role, { ingress: [...(into[role] ?? []), prometheus] }));
  return [
    {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: metadata(config, 'millrace-default'),
      spec: { podSelector: { matchLabels: ALL_PODS }, policyTypes: ['Ingress'] },
    },
    policy(config, 'nats', {
      ingress: [
        { from: ROLE_NAMES.map(part), ports: tcp(PORTS.nats) },
        { from: [part('nats')], ports: tcp(PORTS.routes) },
        { from: [namespace('keda'), namespace(config.monitoringNamespace)], ports: tcp(PORTS.natsMonitor) },
      ],
      egress: [dns(), { to: [part('nats')], ports: tcp(PORTS.routes) }],
    }),
    ...nodes.map((each, at) => withEgress(each, ROLE_NAMES[at]!, config)),
  ];
}

function policy(config: ManifestsConfig, name: Part, rules: { ingress: object[]; egress?: object[] }): INetworkPolicy {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: metadata(config, `millrace-${name}`, name),
    spec: {
      podSelector: { matchLabels: selector(name) },
      policyTypes: ['Ingress', ...(rules.egress ? (['Egress'] as const) : [])],
      ...rules,
    },
  };
}

/** Those that run nobody's code reach what they need and nothing else. */
function withEgress(each: INetworkPolicy, role: Part, { artifacts, store }: ManifestsConfig): INetworkPolicy {
  if (REACH_OUTSIDE.includes(role)) return each;
  const peers: Peer[] = [part('coordinator'), part('parameter-server'), part('store')];
  const egress = [
    dns(),
    { to: [part('nats')], ports: tcp(PORTS.nats) },
    { to: peers, ports: tcp(PORTS.grpc) },
    ...('url' in artifacts ? [{ ports: tcp(portOf(artifacts.endpoint ?? 'https://amazonaws.com')) }] : []),
    ...(role === 'store' && store.clickhouseUrl !== undefined ? [{ ports: tcp(portOf(store.clickhouseUrl)) }] : []),
  ];
  return { ...each, spec: { ...each.spec!, policyTypes: ['Ingress', 'Egress'], egress } };
}

function dns() {
  return {
    to: [namespace('kube-system')],
    ports: [
      { port: 53, protocol: 'UDP' as const },
      { port: 53, protocol: 'TCP' as const },
    ],
  };
}

function portOf(address: string): number {
  const { port, protocol } = new URL(address);
  return port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port);
}
