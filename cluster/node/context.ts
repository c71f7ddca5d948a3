import { join } from 'node:path';
import type { Logger } from 'pino';
import { ActorSystem } from '../../src/actor/system.ts';
import type { ArtifactStore } from '../../src/artifacts/artifacts.ts';
import type { Bus } from '../../src/bus/bus.ts';
import type { Clock } from '../../src/clock/clock.ts';
import type { MillraceError } from '../../src/errors.ts';
import { nodeFiles } from '../../src/files/node-files.ts';
import type { TlsFiles } from '../../src/identity/tls-files.ts';
import { openTlsIdentity, type TlsIdentity } from '../../src/identity/tls-identity.ts';
import { systemRandom } from '../../src/random/seeded.ts';
import type { MetricsRegistry } from '../../src/telemetry/metrics.ts';
import { BusWeightChannel } from '../../src/weights/bus-weight-channel.ts';
import { artifactsOf, openRemoteArtifacts, sharedArtifacts } from '../jobs/artifacts.ts';
import { jobBundles } from '../jobs/bundles.ts';
import { openJobDirectory } from '../jobs/directory.ts';
import { jobNotices } from '../jobs/notices.ts';
import { createJobRuntimes } from '../jobs/runtime.ts';
import type { NodeContext } from '../runtime/context.ts';
import type { NodeSettings } from '../runtime/settings/node.ts';

/** What {@link createContext} builds on. */
export interface ContextParts {
  bus: Bus;
  clock: Clock;
  log: Logger;
  metrics: MetricsRegistry;
  /** Called when an actor of the node gives up. */
  fail: (error: MillraceError) => void;
}

/** The ports of a node on real servers. */
export async function createContext(
  { id, stateDir, artifacts: place, tls }: NodeSettings,
  { bus, clock, log, metrics, fail }: ContextParts,
): Promise<NodeContext> {
  const random = systemRandom();
  const artifacts = await openArtifacts(stateDir, place);
  const bundles = jobBundles(stateDir, artifacts, random);
  const outside: NodeContext['outside'] = (work) => work;
  return {
    id,
    bus,
    weights: new BusWeightChannel(bus, { clock, random }),
    clock,
    random,
    log,
    metrics,
    actors: new ActorSystem({ node: id, clock, log, random: random.fork('actors'), onFailed: (_, error) => fail(error) }),
    jobs: await openJobDirectory(bus, (job) => log.error(job, 'a job record cannot be read; it is left alone')),
    notices: jobNotices({ bus, clock, node: id, log }),
    runtimes: createJobRuntimes({ clock, outside }, bundles),
    bundles,
    artifacts,
    callBodies: await openArtifacts(join(stateDir, 'calls'), callsPlace(place)),
    files: nodeFiles,
    stateDir,
    tls: tls && watchedIdentity(tls, log),
    outside,
  };
}

async function openArtifacts(stateDir: string, place: NodeSettings['artifacts']): Promise<ArtifactStore> {
  if (place === undefined) return artifactsOf(stateDir);
  return 'dir' in place ? sharedArtifacts(place.dir) : openRemoteArtifacts(stateDir, place);
}

/** Beside the other artifacts, which are deleted when no job refers to them. */
function callsPlace(place: NodeSettings['artifacts']): NodeSettings['artifacts'] {
  if (place === undefined) return undefined;
  return 'dir' in place ? { dir: join(place.dir, 'calls') } : { ...place, url: `${place.url.replace(/\/+$/, '')}/calls` };
}

/** The certificate of the node, as its files are; new ones, and those that cannot be used, are logged. */
function watchedIdentity(files: TlsFiles, log: Logger): TlsIdentity {
  return openTlsIdentity(files, {
    onReload: ({ expiresAt }) => log.info({ expiresAt: new Date(expiresAt) }, 'new certificates are in force'),
    onProblem: (err) => log.error({ err }, 'changed certificates cannot be used; those from before stay in force'),
  });
}
