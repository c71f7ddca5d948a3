import { readdirSync, readFileSync } from 'node:fs';
import { Deployment, StatefulSet } from 'kubernetes-models/apps/v1';
import { NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1';
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1';
import {
  ConfigMap,
  Namespace,
  PersistentVolumeClaim,
  Secret,
  Service,
  type IContainer,
  type IPodTemplateSpec,
} from 'kubernetes-models/v1';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { loadClusterConfig, clusterConfigSchema } from '../../src/config/cluster.ts';
import { REWARD_WORK, ROLLOUT_WORK } from '../../src/protocol/durables.ts';
import { ROLE_NAMES } from '../../src/protocol/roles.ts';
import type { ManifestsInput } from './config.ts';
import { generatedFiles } from './generated-files.ts';
import { manifests, type Manifest } from './manifests.ts';

interface Model {
  validate(): void;
}

/** What checks an object against Kubernetes' own schemas. */
const MODELS: Record<string, new (data: never) => Model> = {
  ...{
    Deployment,
    StatefulSet,
    NetworkPolicy,
    PodDisruptionBudget,
    ConfigMap,
    Namespace,
    PersistentVolumeClaim,
    Secret,
    Service,
  },
};

const FULL: ManifestsInput = {
  images: { pullSecret: 'registry' },
  nats: { servers: 5, volume: { storageClass: 'fast' } },
  learner: { gpu: {} },
  rollout: { scaling: { min: 0, max: 9, lag: 3 } },
  reward: { scaling: {} },
  store: { clickhouseUrl: 'https://clickhouse.example:8443' },
  artifacts: { url: 's3://bucket/prefix', endpoint: 'http://minio:9000' },
  secrets: { nats: { 'nats.conf': 'port: 4222' }, learner: { 'work.token': 'a token of sixteen' } },
};

const check = (each: Manifest): void => new MODELS[each.kind]!(each as never).validate();
const named = (objects: readonly Manifest[], kind: string, name: string): Manifest =>
  objects.find((each) => each.kind === kind && each.metadata!.name === name)!;
const templates = (objects: readonly Manifest[]): IPodTemplateSpec[] =>
  objects.flatMap((each) => (each.kind === 'Deployment' || each.kind === 'StatefulSet' ? [each.spec!.template] : []));
const containers = (objects: readonly Manifest[]): IContainer[] => templates(objects).flatMap(({ spec }) => spec!.containers);

describe('manifests', () => {
  it.each<[string, ManifestsInput]>([
    ['with defaults', {}],
    ['with everything', FULL],
  ])('%s are valid by the schemas of Kubernetes', (_, input) => {
    for (const each of manifests(input)) if (each.kind !== 'ScaledObject') check(each);
  });

  it('are refused by the schemas when something is wrong, so that the test above means something', () => {
    const wrong = structuredClone(named(manifests(), 'Deployment', 'millrace-rollout')) as { spec: { replicas: unknown } };
    wrong.spec.replicas = 'two';
    expect(() => check(wrong as never)).toThrow(/replicas/);
  });

  it('are those in the repository', () => {
    const folder = new URL('generated/', import.meta.url);
    const there = Object.fromEntries(readdirSync(folder).map((name) => [name, readFileSync(new URL(name, folder), 'utf8')]));
    expect(there).toEqual(generatedFiles());
  });

  it('have a pod for every role and for NATS, each kind once', () => {
    const parts = templates(manifests()).map(({ metadata }) => metadata!.labels!['app.kubernetes.io/component']);
    expect(parts.sort()).toEqual([...ROLE_NAMES, 'nats'].sort());
  });

  it.each<[string, ManifestsInput]>([
    ['with defaults', {}],
    ['with everything', FULL],
  ])('%s give every container probes, bounded memory and no rights', (_, input) => {
    for (const { name, resources, securityContext, livenessProbe, readinessProbe, startupProbe } of containers(
      manifests(input),
    )) {
      expect(resources!.limits!['memory'], name).toBe(resources!.requests!['memory']);
      expect(resources!.requests!['cpu'], name).toBeDefined();
      expect([livenessProbe, readinessProbe, startupProbe].every((probe) => probe !== undefined)).toBe(true);
      expect(securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
    }
    for (const { spec } of templates(manifests(input))) {
      expect(spec).toMatchObject({ automountServiceAccountToken: false, securityContext: { runAsNonRoot: true } });
    }
  });

  it('give the nodes settings that millrace takes', () => {
    for (const input of [{}, FULL]) {
      const { data } = named(manifests(input), 'ConfigMap', 'millrace') as { data: Record<string, string> };
      const settings = clusterConfigSchema.parse(parse(data['cluster.yaml']!));
      expect(settings.nats.url!.split(',')).toHaveLength(input === FULL ? 5 : 3);
      expect(settings.artifacts).toMatchObject(input === FULL ? FULL.artifacts! : { dir: '/var/lib/millrace/artifacts' });
    }
    for (const { env } of containers(manifests(FULL))) {
      const given = Object.fromEntries(env!.flatMap(({ name, value }) => (value === undefined ? [] : [[name, 'host.of-a-pod']])));
      expect(() => loadClusterConfig({ env: given })).not.toThrow();
    }
  });

  it('name for every volume that is mounted what it is', () => {
    for (const each of [...manifests(), ...manifests(FULL)]) {
      if (each.kind !== 'Deployment' && each.kind !== 'StatefulSet') continue;
      const claims = each.kind === 'StatefulSet' ? (each.spec!.volumeClaimTemplates ?? []) : [];
      const there = [...each.spec!.template.spec!.volumes!, ...claims.map(({ metadata }) => metadata!)].map(({ name }) => name);
      const mounted = each.spec!.template.spec!.containers[0]!.volumeMounts!.map(({ name }) => name);
      expect(there.sort()).toEqual(mounted.sort());
    }
  });

  it('replace pods when settings or secrets change', () => {
    const digests = (input: ManifestsInput) =>
      templates(manifests(input)).map(({ metadata }) => metadata!.annotations?.['millrace.dev/settings']);
    const changed = { ...FULL, secrets: { learner: { 'work.token': 'another token of sixteen' } } };
    const [before, after] = [digests(FULL), digests(changed)];
    expect(before.filter((digest, at) => digest !== undefined && digest === after[at])).toEqual([]);
    expect(digests(FULL)).toEqual(before);
  });
});

describe('learners with GPUs', () => {
  it('run the image for them, one GPU each, on the nodes that have them', () => {
    const learner = named(manifests({ learner: { gpu: { nodeSelector: { pool: 'h200' } } } }), 'Deployment', 'millrace-learner');
    const { spec } = (learner as { spec: { template: IPodTemplateSpec } }).spec.template;
    expect(spec!.containers[0]).toMatchObject({
      image: 'ghcr.io/millrace/millrace-learner-cuda:0.1.0',
      resources: { limits: { 'nvidia.com/gpu': '1' } },
    });
    expect(spec).toMatchObject({ nodeSelector: { pool: 'h200' }, tolerations: [{ key: 'nvidia.com/gpu', operator: 'Exists' }] });
  });
});

describe('scaling', () => {
  it('follows the queue that the workers take from, and leaves the number of pods to KEDA', () => {
    const objects = manifests(FULL);
    for (const [role, work, lag] of [
      ['rollout', ROLLOUT_WORK, '3'],
      ['reward', REWARD_WORK, '32'],
    ] as const) {
      expect(named(objects, 'Deployment', `millrace-${role}`)).not.toHaveProperty('spec.replicas');
      expect(named(objects, 'ScaledObject', `millrace-${role}`)).toMatchObject({
        spec: {
          scaleTargetRef: { name: `millrace-${role}` },
          triggers: [
            {
              type: 'nats-jetstream',
              metadata: { account: 'MAIN', stream: work.stream, consumer: work.durable, lagThreshold: lag },
            },
          ],
        },
      });
    }
    expect(manifests().filter(({ kind }) => kind === 'ScaledObject')).toEqual([]);
  });
});

describe('network policies', () => {
  const policies = (input: ManifestsInput = {}) => manifests(input).filter((each) => each.kind === 'NetworkPolicy');

  it('refuse what they do not name, for every pod', () => {
    expect(policies()[0]).toMatchObject({
      spec: { podSelector: { matchLabels: { 'app.kubernetes.io/name': 'millrace' } }, policyTypes: ['Ingress'] },
    });
    expect(policies()[0]).not.toHaveProperty('spec.ingress');
  });

  it('let learners alone reach the parameter servers, and coordinators alone the store', () => {
    for (const [part, from] of [
      ['parameter-server', 'learner'],
      ['store', 'coordinator'],
    ]) {
      const { ingress } = policies().find(({ metadata }) => metadata!.name === `millrace-${part}`)!.spec as {
        ingress: { from: { podSelector?: { matchLabels: object } }[]; ports: { port: number }[] }[];
      };
      const callers = ingress.filter(({ ports }) => ports[0]!.port === 7000).flatMap((rule) => rule.from);
      expect(callers.map(({ podSelector }) => podSelector!.matchLabels)).toEqual([
        { 'app.kubernetes.io/name': 'millrace', 'app.kubernetes.io/component': from },
      ]);
    }
  });

  it('let those that run no code of flows reach nothing outside but the place of artifacts and ClickHouse', () => {
    const egress = (name: string) => policies(FULL).find(({ metadata }) => metadata!.name === name)!.spec!.egress;
    const outside = (name: string) => egress(name)!.filter(({ to }) => to === undefined);
    expect(outside('millrace-learner')).toEqual([{ ports: [{ port: 9000, protocol: 'TCP' }] }]);
    expect(outside('millrace-store').flatMap(({ ports }) => ports!.map(({ port }) => port))).toEqual([9000, 8443]);
    expect(egress('millrace-rollout')).toBeUndefined();
  });
});

describe('a wrong configuration', () => {
  it.each<[string, object, RegExp]>([
    ['an unknown key', { rollouts: {} }, /unknown key "rollouts"; did you mean "rollout"/],
    ['no amount', { learner: { resources: { memory: '4 GB' } } }, /learner\.resources\.memory: .*a size like/],
    ['an even number of servers', { nats: { servers: 4 } }, /nats\.servers/],
    ['fewer at most than at least', { rollout: { scaling: { min: 5, max: 2 } } }, /rollout\.scaling\.min/],
  ])('with %s is refused by the field', (_, input, text) => {
    expect(() => manifests(input)).toThrow(text);
  });
});
