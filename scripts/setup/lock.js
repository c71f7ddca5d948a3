// A lock between processes, for the setup: several `npm start` and `npm test` may begin at once in one checkout.
import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { say, SetupError } from './say.js';

/** A holder shows this often that it lives … */
const BEAT_MS = 2000;
/** … and is taken for dead when it has not for this long. A holder whose process is gone is taken for dead at once. */
const STALE_MS = 30_000;
const POLL_MS = 200;

/**
 * Runs `work` while holding the lock file at `path`.
 *
 * @param waitMs - how long to wait for another holder before giving up
 */
export async function withLock(path, work, { waitMs = 20 * 60_000, staleMs = STALE_MS } = {}) {
  mkdirSync(dirname(path), { recursive: true });
  const token = `${process.pid} ${randomUUID()}`;
  await acquire(path, token, { waitMs, staleMs });
  const beat = setInterval(() => touch(path), BEAT_MS);
  beat.unref();
  const release = () => {
    clearInterval(beat);
    if (read(path) === token) rmSync(path, { force: true });
  };
  process.once('exit', release);
  try {
    return await work();
  } finally {
    process.off('exit', release);
    release();
  }
}

async function acquire(path, token, { waitMs, staleMs }) {
  const deadline = Date.now() + waitMs;
  let told = false;
  while (!create(path, token)) {
    const holder = read(path);
    if (holder !== undefined && isStale(path, holder, staleMs)) {
      breakLock(path, holder, staleMs);
      continue;
    }
    if (Date.now() > deadline) {
      throw new SetupError(
        `another setup (process ${pidOf(holder)}) holds ${path} since long ago: end it or remove the file, and try again`,
      );
    }
    if (!told && holder !== undefined) say(`Waiting for another setup in this folder (process ${pidOf(holder)}) ...`);
    told ||= holder !== undefined;
    await sleep(POLL_MS);
  }
}

/** Removes a dead holder's lock. Only one process ever may do that for one holder: the one that creates the file named after it. */
function breakLock(path, holder, staleMs) {
  const right = `${path}.${holder.split(' ')[1] ?? 'unreadable'}`;
  if (!create(right, String(process.pid))) {
    if (ageOf(right) > staleMs) rmSync(right, { force: true });
    return;
  }
  try {
    if (read(path) === holder) rmSync(path, { force: true });
  } finally {
    rmSync(right, { force: true });
  }
}

function isStale(path, holder, staleMs) {
  return ageOf(path) > staleMs || !isAlive(pidOf(holder));
}

function isAlive(pid) {
  // A lock that is being written has no process id yet; its age decides.
  if (!Number.isInteger(pid) || pid <= 0) return true;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

function pidOf(holder) {
  return Number(holder?.split(' ')[0]);
}

function create(path, content) {
  try {
    writeFileSync(path, content, { flag: 'wx' });
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw new SetupError(`cannot write ${path}: ${error.message}`);
  }
}

function read(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function ageOf(path) {
  try {
    return Date.now() - statSync(path).mtimeMs;
  } catch {
    return 0;
  }
}

function touch(path) {
  try {
    const now = new Date();
    utimesSync(path, now, now);
  } catch {
    // Someone removed it by hand; the work goes on.
  }
}
