import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findProgram } from './apt.js';
import { runQuietly } from './command.js';
import { say } from './say.js';

const TIMEOUT_MS = 60_000;

/**
 * Builds the program that confines the store's process (src/store/confinement/confine.c) unless it is there already. It takes a
 * C compiler and nothing else. Never an error: without it the store runs unconfined, and a cluster's log says so.
 *
 * @returns whether the program is there
 */
export async function ensureConfinement(root) {
  if (process.platform !== 'linux') return false;
  const folder = join(root, 'src', 'store', 'confinement');
  const [source, program, record] = ['confine.c', 'build/confine', 'build/confine.json'].map((name) => join(folder, name));
  const wanted = JSON.stringify({
    source: createHash('sha256').update(readFileSync(source)).digest('hex'),
    arch: process.arch,
  });
  if (existsSync(program) && existsSync(record) && readFileSync(record, 'utf8') === wanted) return true;
  const compiler = ['cc', 'gcc', 'clang'].map((name) => findProgram(name)).find((path) => path !== undefined);
  if (compiler === undefined) return false;
  try {
    mkdirSync(join(folder, 'build'), { recursive: true });
  } catch {
    // The installation is another account's. It is for its owner to build the program.
    return false;
  }
  // Each of several setups at once builds its own file; the last one put in place is as good as the first.
  const built = `${program}.${process.pid}`;
  const { code, tail } = await runQuietly(compiler, ['-O2', '-o', built, source], {
    cwd: folder,
    env: process.env,
    timeoutMs: TIMEOUT_MS,
  });
  if (code !== 0) {
    rmSync(built, { force: true });
    say(`The store's process will not be confined to its own files: building ${source} failed.\n${tail}`);
    return false;
  }
  renameSync(built, program);
  writeFileSync(record, wanted);
  return true;
}
