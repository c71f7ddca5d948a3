import * as kubernetes from '@pulumi/kubernetes';
import { secret, type CustomResourceOptions, type Resource } from '@pulumi/pulumi';
import type { ManifestsInput } from '../kubernetes/config.ts';
import { manifests, type Manifest } from '../kubernetes/manifests.ts';

/** What {@link install} takes. */
export interface Installation {
  /** Tag of the images. */
  version: string;
  /** See `readSecrets`. */
  secrets: NonNullable<ManifestsInput['secrets']>;
  /** What else `manifests` takes. */
  manifests: ManifestsInput;
}

/** How long a rollout may take; then `pulumi up` fails and says which pods are not ready. */
const TIMEOUTS = { create: '15m', update: '15m' };

const MAKERS: { [kind: string]: (name: string, args: never, options: CustomResourceOptions) => Resource } = {
  Namespace: (name, args, options) => new kubernetes.core.v1.Namespace(name, args, options),
  ConfigMap: (name, args, options) => new kubernetes.core.v1.ConfigMap(name, args, options),
  Secret: (name, args: { stringData: Record<string, string> }, options) => {
    return new kubernetes.core.v1.Secret(name, { ...args, stringData: secret(args.stringData) }, options);
  },
  PersistentVolumeClaim: (name, args, options) => new kubernetes.core.v1.PersistentVolumeClaim(name, args, options),
  Service: (name, args, options) => new kubernetes.core.v1.Service(name, args, options),
  StatefulSet: (name, args, options) => new kubernetes.apps.v1.StatefulSet(name, args, options),
  Deployment: (name, args, options) => new kubernetes.apps.v1.Deployment(name, args, options),
  NetworkPolicy: (name, args, options) => new kubernetes.networking.v1.NetworkPolicy(name, args, options),
  PodDisruptionBudget: (name, args, options) => new kubernetes.policy.v1.PodDisruptionBudget(name, args, options),
  ScaledObject: (name, args, options) => new kubernetes.apiextensions.CustomResource(name, args, options),
};

/** Kinds that pods need before they can start. */
const FIRST = ['Namespace', 'ConfigMap', 'Secret', 'PersistentVolumeClaim', 'NetworkPolicy', 'Service'];

/**
 * Makes the objects of a cluster: first what pods need, then NATS, then the nodes. What holds data survives `pulumi destroy`.
 *
 * @returns the namespace, and where the admin API is within the cluster
 * @throws MillraceError `invalid_argument` for settings that `manifests` refuses
 */
export function install({ version, secrets, manifests: input }: Installation): { namespace: string; admin: string } {
  const objects = manifests({ ...input, images: { ...input.images, version }, secrets });
  const namespace = objects[0]!.metadata!.name!;
  const isFirst = ({ kind }: Manifest): boolean => FIRST.includes(kind);
  const isNats = ({ kind, metadata }: Manifest): boolean => kind === 'StatefulSet' && metadata!.name === 'nats';
  const first = objects.filter(isFirst).reduce<Resource[]>((made, each) => {
    // All else is in the namespace.
    return [...made, make(each, made.slice(0, 1))];
  }, []);
  const nats = objects.filter(isNats).map((each) => make(each, first));
  for (const each of objects) if (!isFirst(each) && !isNats(each)) make(each, [...first, ...nats]);
  return { namespace, admin: `millrace-admin.${namespace}.svc:7000` };
}

function make(object: Manifest, dependsOn: Resource[]): Resource {
  const { kind, metadata } = object;
  const maker = MAKERS[kind];
  if (maker === undefined) throw new Error(`program.ts makes no ${kind}; add it to MAKERS`);
  const holdsData = kind === 'Namespace' || kind === 'PersistentVolumeClaim';
  return maker(`${kind}-${metadata!.name}`.toLowerCase(), object as never, {
    dependsOn,
    customTimeouts: TIMEOUTS,
    ...(holdsData && { retainOnDelete: true }),
  });
}
