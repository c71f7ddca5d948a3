/** Compiled copies of the code, each with one deliberate mistake in it. */
import { linkSync, mkdirSync, rmSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { compileEach, compileModules, filesBelow } from '../compile.js';

const FOLDER = 'test/simulation/mutations';
/** What a run of a mutated copy starts, what lists the mutations, and what a flow may import. */
const ENTRIES = [`${FOLDER}/worker.ts`, `${FOLDER}/all.ts`, `${FOLDER}/mutation.ts`, 'src/index.ts', 'src/math.ts'];

/** Compiles the code as it is into `out`. Returns the mutations that it lists, and the function that makes one. */
export async function buildUnmutated(root, out) {
  await compileModules(root, out, ENTRIES);
  const load = (name) => import(pathToFileURL(join(out, FOLDER, name)).href);
  const [{ mutations }, { mutated }] = await Promise.all([load('all.js'), load('mutation.js')]);
  return { mutations, mutated };
}

/** The program that runs seeds in a compiled copy. */
export function workerOf(copy) {
  return join(copy, FOLDER, 'worker.js');
}

/** Makes a copy of `unmutated` in `out` with the mutation in it; the other modules are links. Throws when it does not apply. */
export async function buildMutated(root, { unmutated, mutated, out }, mutation) {
  const target = join(out, mutation.file.replace(/\.ts$/, '.js'));
  for (const path of filesBelow(unmutated)) {
    if (!statSync(path).isFile()) continue;
    const link = join(out, relative(unmutated, path));
    mkdirSync(dirname(link), { recursive: true });
    linkSync(path, link);
  }
  if (!statSync(target, { throwIfNoEntry: false })) throw new Error(`${mutation.file} is not part of what is simulated`);
  for (const path of [target, `${target}.map`]) rmSync(path, { force: true });
  await compileEach(root, out, [mutation.file], (text) => mutated(text, mutation));
}
