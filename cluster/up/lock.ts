import { randomUUID } from 'node:crypto';
import { access, link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { MillraceError } from '../../src/errors.ts';

/** File that says who runs a cluster in the folder: process id, and when that process began. */
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
  const own = `${path}.${process.pid}-${randomUUID()}`;
  // Complete before it has its name: nobody ever reads a lock without an owner.
  await writeFile(own, `${process.pid} ${(await startedAt(process.pid)) ?? ''}`, { mode: 0o600 });
  try {
    while (!(await linked(own, path))) {
      const owner = await livingOwner(path);
      if (owner !== undefined) throw inUse(stateDir, owner);
      if (await takenOver(path, own)) break;
    }
  } finally {
    await rm(own, { force: true });
  }
  await endOrphan(stateDir);
  return () => rm(path, { force: true });
}

function inUse(stateDir: string, owner: number): MillraceError {
  return new MillraceError(
    'failed_precondition',
    `A cluster is running in ${resolve(stateDir)} already (process ${owner}). Stop it, or choose another folder with --state.`,
  );
}

async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Process that holds the lock; undefined when it is gone, also when its number has gone to another process since. */
async function livingOwner(path: string): Promise<number | undefined> {
  const [pid, since] = (await readFile(path, 'utf8').catch(() => '')).split(' ');
  const now = Number(pid) > 0 ? await startedAt(Number(pid)) : undefined;
  return now !== undefined && (since === undefined || since === now) ? Number(pid) : undefined;
}

/**
 * Replaces a lock whose owner is gone. One at a time may, or one who was about to would take away the lock of one who has.
 * False: look again.
 */
async function takenOver(path: string, own: string): Promise<boolean> {
  const turn = `${path}.taking`;
  if (!(await linked(own, turn))) {
    if ((await livingOwner(turn)) === undefined) await rm(turn, { force: true });
    await sleep(10);
    return false;
  }
  try {
    const stale = (await exists(path)) && (await livingOwner(path)) === undefined;
    if (stale) await rename(own, path);
    return stale;
  } finally {
    await rm(turn, { force: true });
  }
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
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
    await sleep(50);
  }
}

/** When a live process began, in ticks since the machine's start; '' where that cannot be told, undefined when it is gone. */
async function startedAt(pid: number): Promise<string | undefined> {
  if ((await commandLine(pid)) === undefined) return undefined;
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // The program's name, in parentheses, may hold spaces: fields are counted from behind it.
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}

/** Of a live process; undefined when there is none (or it is a zombie). */
async function commandLine(pid: number): Promise<string | undefined> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // It is somebody else's.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return undefined;
  }
  const text = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => 'unknown');
  return text === '' ? undefined : text.replaceAll('\0', ' ');
}
