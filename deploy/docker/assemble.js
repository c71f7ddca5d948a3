// Copies what an image runs into a folder: all modules in one file with V8's compiled code beside it, the packages, and the compiled
// kernels. The embedded ClickHouse engine is left out: the image of the store takes it from node_modules.
//
//   node deploy/docker/assemble.js FOLDER
//
// The modules are compiled in the checkout, which lies where the image has them: V8 notes that, and some packages read files by it.
import { chmodSync, cpSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleModules, warm } from '../../scripts/bundle/make.js';

/** As `files` of package.json, with what is compiled for this system. */
const TAKEN = [
  ...['bin', 'dist', 'proto', 'scripts/native.js', 'scripts/setup', 'package.json', 'LICENSE', 'node_modules'],
  ...['src/compute/native/addon', 'src/compute/native/binding.gyp', 'src/compute/native/processor.js'],
  ...['src/compute/native/build', 'src/store/confinement/confine.c', 'src/store/confinement/build'],
];
/** The engine; objects that were linked into the kernels; what nobody reads in an image. */
const LEFT_OUT = /\/node_modules\/@?chdb$|\/build\/Release\/(obj\.target|\.deps)$|\/node_modules\/.*\.(d\.[cm]?ts|map|md)$/;

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const [folder] = process.argv.slice(2);

const dist = join(root, 'dist');
const modules = await bundleModules(root, dist);
await warm(dist);
// V8's code is made for its owner alone; another account runs it.
for (const { parentPath, name } of readdirSync(dist, { withFileTypes: true }).filter((entry) => entry.isFile()))
  chmodSync(join(parentPath, name), 0o644);
for (const path of TAKEN)
  cpSync(join(root, path), join(folder, path), { recursive: true, filter: (from) => !LEFT_OUT.test(from) });
process.stdout.write(`${modules} modules in ${folder}\n`);
