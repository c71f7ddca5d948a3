import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import type { ClusterConfig } from '../../src/config/cluster.ts';
import { missingBinding } from '../../src/compute/tensorflow/binding.ts';
import { storeConfinement } from '../../src/store/confinement/confine.ts';
import type { Logger } from '../../src/telemetry/log.ts';
import { findGpus } from '../infra/gpus.ts';
import { usesGpus, type Devices } from './learners.ts';

/** What this machine has for learners; a line in the log when it has GPUs that cannot be used. */
export async function findDevices({ compute }: ClusterConfig, log: Logger): Promise<Devices> {
  const missing = missingBinding(true);
  const devices = { gpus: await findGpus(), gpuBackend: missing === undefined, cores: availableParallelism() };
  if (devices.gpus.length > 0 && !usesGpus({ compute }, devices)) {
    const reason = compute.backend === undefined ? missing : `the backend is set to ${compute.backend}`;
    log.warn({ gpus: devices.gpus }, `${devices.gpus.length} GPUs are not used: ${reason}`);
  }
  return devices;
}

/** The command that the store's process is started through; a line in the log where it can reach every file of this user. */
export async function confineStore(
  { stateDir, clickhouse, nats, tls }: ClusterConfig,
  log: Logger,
): Promise<readonly string[] | undefined> {
  // With a server there is no engine in the process, and nothing that SQL could reach.
  if (clickhouse.url !== undefined) return undefined;
  const { caFile, certFile, keyFile, credsFile, nkeyFile } = nats;
  const ofTls = [tls?.caFile, tls?.certFile, tls?.keyFile];
  const files = [caFile, certFile, keyFile, credsFile, nkeyFile, ...ofTls].flatMap((file) =>
    file === undefined ? [] : [resolve(file)],
  );
  const confinement = await storeConfinement(resolve(stateDir), { files });
  if (confinement.prefix === undefined) {
    log.warn(`the store's process is not confined to its own files: ${confinement.reason}`);
    return undefined;
  }
  log.info("the store's process is confined to its own files (Landlock)");
  return confinement.prefix;
}
