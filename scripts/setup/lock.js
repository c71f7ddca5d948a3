// A lock between processes, for the setup: several `npm start` and `npm test` may begin at once in one checkout.
import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { say, SetupError } from './say.js';

/** A holder shows this often that it lives. */
const BEAT_MS = 2000;
/** A holder on another machine (a shared folder, a container) is taken for dead when it has not for this long. */
const STALE_MS = 30_000;
/** So is one of this machine, in case another process has got its number. */
const REUSED_MS = 15 * 60_000;
const POLL_MS = 200;

/**
 * Runs `work` while holding the lock file at `path`. `work` gets a function that takes the id of a process it starts: if we
 * are killed, the lock is held until that process is gone too.
 *
 * @param waitMs - how long to wait for another holder before giving up
 */
export async function withLock(path, work, { waitMs = 20 * 60_000, staleMs = STALE_MS } = {}) {
  mkdirSync(dirname(path), { recursive: true });
  const holder = { token: randomUUID(), host: hostname(), pids: [process.pid] };
  await acquire(path, holder, { waitMs, staleMs });
  const beat = setInterval(() => touch(path), BEAT_MS);
  beat.unref();
  const release = () => {
    clearInterval(beat);
    if (read(path)?.token === holder.token) rmSync(path, { force: true });
  };
  const holdFor = (pid) => {
    holder.pids.push(pid);
    // Replaced in one step, so that nobody reads half of it.
    writeFileSync(`${path}.${holder.token}`, JSON.stringify(holder));
    renameSync(`${path}.${holder.token}`, path);
  };
  process.once('exit', release);
  try {
    return await work(holdFor);
  } finally {
    process.off('exit', release);
    release();
  }
}

async function acquire(path, own, { waitMs, staleMs }) {
  const deadline = Date.now() + waitMs;
  let told = false;
  while (!create(path, JSON.stringify(own))) {
    const holder = read(path);
    if (holder !== undefined && isStale(path, holder, staleMs)) {
      if (breakLock(path, holder, staleMs)) continue;
    }
    if (Date.now() > deadline) {
      const who = holder === undefined ? 'something' : `process ${holder.pids[0]}`;
      throw new SetupError(
        `another setup (${who}) holds ${path}: wait for it or end it, then try again; if there is none, remove the file`,
      );
    }
    if (!told && holder !== undefined) {
      say(`Waiting for another setup in this folder (process ${holder.pids[0]}) ...`);
      told = true;
    }
    await sleep(POLL_MS);
  }
}

/**
 * Removes a dead holder's lock and tells whether that is done. Only one process ever may do it for one holder, the one that
 * creates the file named after it; otherwise a slow one could remove the lock of whoever came next.
 */
function breakLock(path, holder, staleMs) {
  const right = `${path}.${holder.token}.broken`;
  if (!create(right, String(process.pid))) {
    if (ageOf(right) > staleMs) rmSync(right, { force: true });
    return false;
  }
  try {
    if (read(path)?.token === holder.token) rmSync(path, { force: true });
    return true;
  } finally {
    rmSync(right, { force: true });
  }
}

function isStale(path, holder, staleMs) {
  if (holder.host !== hostname()) return ageOf(path) > staleMs;
  return !holder.pids.some(isAlive) || ageOf(path) > REUSED_MS;
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
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

/** The holder; undefined when there is none, or it is just being written. A file left half written is no holder after a while. */
function read(path) {
  try {
    const text = readFileSync(path, 'utf8');
    try {
      return JSON.parse(text);
    } catch {
      return ageOf(path) > STALE_MS ? { token: 'unreadable', host: '', pids: [] } : undefined;
    }
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
