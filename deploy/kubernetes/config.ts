import { z } from 'zod';
import { ROLE_NAMES } from '../../src/protocol/roles.ts';

/** Amounts as Kubernetes writes them. */
const cpu = z.string().regex(/^\d+(\.\d+)?m?$/);
const bytes = z
  .string()
  .regex(/^\d+(\.\d+)?(Ki|Mi|Gi|Ti)$/)
  .describe('a size like 512Mi or 4Gi');

const resources = (defaults: { cpu: string; memory: string }) =>
  z
    .strictObject({
      cpu: cpu.default(defaults.cpu).describe('cores like 2 or 500m that are requested; there is no limit'),
      memory: bytes.default(defaults.memory).describe('a size like 512Mi or 4Gi that is requested, and the limit'),
    })
    .prefault({});

const replicas = (count: number) => z.int().min(1).max(1000).default(count);

/** How many pods of a role there may be, by the messages that wait for each. */
const scaling = (lag: number) =>
  z
    .strictObject({
      min: z.int().min(0).default(1),
      max: z.int().min(1).max(1000).default(20),
      lag: z.int().min(1).default(lag).describe('messages of the queue for each pod'),
    })
    .refine(({ min, max }) => min <= max, { path: ['min'], error: 'expected at most max' })
    .optional()
    .describe('scale with KEDA by the length of the queue; a fixed number of pods when absent');

const volume = (size: string) =>
  z.strictObject({ size: bytes.default(size), storageClass: z.string().min(1).optional() }).prefault({});

/** What {@link manifests} takes, as a person writes it; everything has a default. */
export const manifestsSchema = z.strictObject({
  namespace: z
    .string()
    .regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, 'expected a DNS label')
    .default('millrace'),
  images: z
    .strictObject({
      prefix: z.string().min(1).default('ghcr.io/millrace/millrace').describe('of the images of deploy/docker, before -ROLE'),
      version: z.string().min(1).default('0.1.0'),
      nats: z.string().min(1).default('docker.io/library/nats:2.12.7-alpine'),
      pullSecret: z.string().min(1).optional(),
    })
    .prefault({}),
  nats: z
    .strictObject({
      servers: z.union([z.literal(3), z.literal(5)]).default(3),
      resources: resources({ cpu: '500m', memory: '1Gi' }),
      volume: volume('50Gi'),
    })
    .prefault({}),
  coordinator: z.strictObject({ replicas: replicas(2), resources: resources({ cpu: '500m', memory: '1Gi' }) }).prefault({}),
  parameterServer: z.strictObject({ replicas: replicas(1), resources: resources({ cpu: '1', memory: '2Gi' }) }).prefault({}),
  learner: z
    .strictObject({
      replicas: replicas(2),
      resources: resources({ cpu: '1', memory: '4Gi' }),
      gpu: z
        .strictObject({
          resource: z.string().min(1).default('nvidia.com/gpu'),
          nodeSelector: z.record(z.string(), z.string()).default({ 'millrace.dev/pool': 'gpu' }),
          taint: z.string().min(1).default('nvidia.com/gpu').describe('key of the taint of GPU nodes that is tolerated'),
        })
        .optional()
        .describe('one GPU for each learner, with the image learner-cuda; the processor when absent'),
    })
    .prefault({}),
  rollout: z
    .strictObject({ replicas: replicas(2), resources: resources({ cpu: '1', memory: '2Gi' }), scaling: scaling(8) })
    .prefault({}),
  reward: z
    .strictObject({ replicas: replicas(2), resources: resources({ cpu: '500m', memory: '1Gi' }), scaling: scaling(32) })
    .prefault({}),
  gateway: z.strictObject({ replicas: replicas(2), resources: resources({ cpu: '250m', memory: '1Gi' }) }).prefault({}),
  store: z
    .strictObject({
      resources: resources({ cpu: '1', memory: '4Gi' }),
      volume: volume('100Gi'),
      clickhouseUrl: z
        .url({ protocol: /^https?$/ })
        .optional()
        .describe('a ClickHouse server; its user and password are in the secret of the store. The embedded engine when absent'),
    })
    .prefault({}),
  artifacts: z
    .union([
      z.strictObject({
        url: z.string().regex(/^s3:\/\//, 'expected s3://bucket/prefix'),
        endpoint: z.string().optional(),
        region: z.string().optional(),
      }),
      z.strictObject({ size: bytes.default('50Gi'), storageClass: z.string().min(1).optional() }),
    ])
    .prefault({})
    .describe('an S3 store, or a volume that many pods mount (ReadWriteMany)'),
  monitoringNamespace: z.string().min(1).default('monitoring').describe('from where Prometheus may scrape'),
  secrets: z
    .partialRecord(z.enum([...ROLE_NAMES, 'nats']), z.record(z.string(), z.string()))
    .optional()
    .describe('content of the files of each folder of millrace cluster init; the secrets are made by hand when absent'),
});

/** What {@link manifests} takes. */
export type ManifestsInput = z.input<typeof manifestsSchema>;

/** {@link ManifestsInput} with all defaults filled in. */
export type ManifestsConfig = z.output<typeof manifestsSchema>;
