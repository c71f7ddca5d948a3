import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

/** A build that nothing was started from for this long is removed; a cluster may run from it as long. */
const UNUSED_MS = 30 * 24 * 3_600_000;
/** What decides what a build looks like, besides the sources. */
const ALSO = ['package.json', 'package-lock.json', 'tsconfig.json', 'scripts/compile.js'];
/** Has what makes the file of all modules, and what loads it. */
const MAKER = 'scripts/bundle';
/** Times of files are at least this exact, on whatever file system. */
const RESOLUTION_MS = 2_000;
/** npm writes it whenever it changes a package; there is none where something else has installed them. */
const INSTALLED = 'node_modules/.package-lock.json';
const SOURCE = /(?<!\.test)\.(tsx?|mjs|cjs|js|sql|css|html)$/;

/**
 * The compiled modules of a checkout as it is now, in a folder named by what they were compiled from. Where there are none they are
 * compiled: a process that starts from them needs a quarter of the processor time that tsx takes.
 *
 * @param cache - folder of such builds. Default: in `node_modules`, where caches of tools lie
 * @param what - `entries`: what is started from it, default the command line and the exports; `folders`: where their sources are
 * @returns undefined where they cannot be made, as in a checkout that this account cannot write to
 */
export async function ensureCompiled(
  root,
  cache = join(root, 'node_modules', '.cache', 'millrace'),
  { entries, folders = ['src', 'cluster', 'web'] } = {},
) {
  const digest = digestNow(root, folders, `${cache}-seen.json`);
  const folder = join(cache, digest);
  if (isThere(folder)) return folder;
  let made;
  try {
    mkdirSync(cache, { recursive: true });
    // Several commands may begin at the same moment: each compiles for itself, and the first one's folder stays.
    made = mkdtempSync(`${folder}.`);
    await compile(root, made, entries);
    removeUnused(cache);
    // A file that was changed meanwhile may have been compiled in either state.
    if (digestOf(root, sourcesOf(root, folders)) === digest) {
      renameSync(made, folder);
      if (entries === undefined) await (await import('../bundle/make.js')).warm(folder);
    } else rmSync(made, { recursive: true, force: true });
  } catch (error) {
    if (made !== undefined) rmSync(made, { recursive: true, force: true });
    // Where another command has made it meanwhile, nothing is wrong.
    if (!existsSync(folder)) {
      const why = error.errors ? 'the sources do not compile' : `${cache} cannot be written`;
      process.stderr.write(`warning: ${why}; the sources run through tsx, which starts more slowly: ${error.message}\n`);
    }
  }
  return isThere(folder) ? folder : undefined;
}

/** Modules that others start are compiled one by one; all of ours, for our own processes, into one file that V8 has compiled before. */
async function compile(root, made, entries) {
  if (entries !== undefined) {
    const { compileModules } = await import('../compile.js');
    await compileModules(root, made, entries);
    return;
  }
  const { bundleModules } = await import('../bundle/make.js');
  await bundleModules(root, made);
}

function isThere(folder) {
  if (!existsSync(folder)) return false;
  try {
    const now = new Date();
    utimesSync(folder, now, now);
  } catch {
    // Somebody else's, who keeps it.
  }
  return true;
}

/** Digest of the sources as they are: read anew unless no file has changed since the one in `seen` was made. */
function digestNow(root, folders, seen) {
  const at = Date.now();
  const paths = sourcesOf(root, folders);
  const { stamp, changed } = stampOf(root, paths);
  const known = readSeen(seen);
  // One that changed in the same moment as it was read may have changed after it, within the resolution of the file system's times.
  if (known?.stamp === stamp && changed + RESOLUTION_MS < known.at) return known.digest;
  const digest = digestOf(root, paths);
  writeSeen(seen, { stamp, at, digest });
  return digest;
}

function sourcesOf(root, folders) {
  const sources = [MAKER, ...folders].flatMap((folder) => sourcesBelow(root, folder));
  const also = existsSync(join(root, INSTALLED)) ? [...ALSO, INSTALLED] : ALSO;
  return [...also, ...sources.sort()];
}

/** A fifth of the time of `readdirSync` with `recursive`. */
function sourcesBelow(root, folder) {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return sourcesBelow(root, path);
    return SOURCE.test(path) ? [path] : [];
  });
}

function digestOf(root, paths) {
  const hash = createHash('sha256');
  for (const path of paths) {
    const content = readFileSync(join(root, path));
    hash.update(`${path}\0${content.length}\0`).update(content);
  }
  return hash.digest('hex').slice(0, 16);
}

/** What is different when any of the files was written, replaced, added or removed, and when the last of them was changed. */
function stampOf(root, paths) {
  const hash = createHash('sha256');
  let changed = 0;
  for (const path of paths) {
    // A file's owner can set the time when it was written, but not the one when it was changed.
    const { ino, size, mtimeNs, ctimeNs, ctimeMs } = statSync(join(root, path), { bigint: true });
    hash.update(`${path}\0${ino} ${size} ${mtimeNs} ${ctimeNs}\0`);
    changed = Math.max(changed, Number(ctimeMs));
  }
  return { stamp: hash.digest('hex'), changed };
}

function readSeen(seen) {
  try {
    return JSON.parse(readFileSync(seen, 'utf8'));
  } catch {
    return undefined;
  }
}

function writeSeen(seen, known) {
  const written = `${seen}.${process.pid}`;
  try {
    mkdirSync(dirname(seen), { recursive: true });
    writeFileSync(written, JSON.stringify(known));
    renameSync(written, seen);
  } catch {
    // Then it is read each time.
  }
}

function removeUnused(cache) {
  for (const name of readdirSync(cache)) {
    const path = join(cache, name);
    if (Date.now() - statSync(path).mtimeMs > UNUSED_MS) rmSync(path, { recursive: true, force: true });
  }
}
