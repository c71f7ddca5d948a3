// npm run build: compiles what the package exports and runs into dist/, laid out as the sources are, with source maps and
// declarations. npm pack runs it; a checkout makes a build of its own where it needs one (scripts/setup/compiled.js).
import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleWeb } from './bundle/web.js';
import { compileModules, filesBelow } from './compile.js';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const out = join(root, 'dist');

const began = Date.now();
rmSync(out, { recursive: true, force: true });
const modules = await compileModules(root, out);
await bundleWeb(root, out);
process.exitCode = declare();
if (process.exitCode === 0) console.log(`Built ${modules} modules in ${((Date.now() - began) / 1000).toFixed(1)} s.`);

/** Writes the declarations of what is exported; returns the exit code. */
function declare() {
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const { status } = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], { cwd: root, stdio: 'inherit' });
  // tsc leaves the endings; older versions of it do not find declarations by them.
  for (const path of filesBelow(out).filter((file) => file.endsWith('.d.ts')))
    writeFileSync(path, readFileSync(path, 'utf8').replaceAll(/((?:from|import\() ?'\.{1,2}\/[^']+)\.ts'/g, "$1.js'"));
  return status ?? 1;
}
