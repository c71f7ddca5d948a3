import { open, readFile, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { MillraceError } from '../../src/errors.ts';

/** File that holds the process id of whoever runs a cluster in the folder. */
const LOCK_FILE = 'lock';
/** Folder of the cluster's own nats-server, and the file in it that holds its process id. */
export const NATS_FOLDER = 'nats';
const NATS_PID_FILE = join(NATS_FOLDER, 'nats-server.pid');

/**
 * Takes the state folder for this process; one cluster at a time may use it. Ends what a killed predecessor left running in it.
 * Throws `failed_precondition` while another one is alive. Returns the function that gives it back.
 */
export async function lockState(stateDir: string): Promise<() => Promise<void>> {
  const path = join(stateDir, LOCK_FILE);
  for (;;) {
    try {
      const file = await open(path, 'wx');
      await file.writeFile(String(process.pid));
      await file.close();
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      const owner = Number(await readFile(path, 'utf8').catch(() => ''));
      if (owner > 0 && owner !== process.pid && (await commandLine(owner)) !== undefined) {
        throw new MillraceError(
          'failed_precondition',
          `A cluster is running in ${resolve(stateDir)} already (process ${owner}). Stop it, or choose another folder with --state.`,
        );
      }
      await rm(path, { force: true });
    }
  }
  await endOrphan(stateDir);
  return () => rm(path, { force: true });
}

/** A cluster that was killed outright may have left its nats-server, which would keep the store folder locked. */
async function endOrphan(stateDir: string): Promise<void> {
  const path = join(stateDir, NATS_PID_FILE);
  const pid = Number(await readFile(path, 'utf8').catch(() => ''));
  await rm(path, { force: true });
  if (!(pid > 0)) return;
  const command = await commandLine(pid);
  if (command?.includes('nats-server') !== true || !command.includes(resolve(stateDir))) return;
  process.kill(pid, 'SIGTERM');
  for (let waited = 0; waited < 5000 && (await commandLine(pid)) !== undefined; waited += 50) {
    await new Promise((done) => setTimeout(done, 50));
  }
}

/** Of a live process; undefined when there is none (or it is a zombie). */
async function commandLine(pid: number): Promise<string | undefined> {
  try {
    process.kill(pid, 0);
  } catch {
    return undefined;
  }
  const text = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => 'unknown');
  return text === '' ? undefined : text.replaceAll('\0', ' ');
}
