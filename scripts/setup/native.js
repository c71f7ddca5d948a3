import { createHash } from 'node:crypto';
import { accessSync, constants, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, sep } from 'node:path';
import { processor } from '../../src/compute/native/processor.js';
import { aptCommand, aptInstall, canInstall, findProgram } from './apt.js';
import { runQuietly } from './command.js';
import { withLock } from './lock.js';
import { say } from './say.js';

const TIMEOUT_MS = 5 * 60_000;

/** Where the library may be; a header of the same name comes with any BLAS, the name to link against does not. */
const LIBRARIES = ['/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu', '/usr/lib64', '/usr/lib', '/usr/local/lib'];

/**
 * Builds the compiled kernels (backend `native`) unless they are there already, installing what that needs from Debian's
 * packages where it can. Never an error: without them training runs on WebAssembly, and one line says how to get them.
 *
 * @param install - whether Debian packages may be installed
 * @param again - try even if the same build has failed before
 * @param libraries - folders to look for OpenBLAS in
 * @returns whether the kernels are there
 */
export async function ensureNative(root, { install = true, again = false, libraries = LIBRARIES } = {}) {
  const folder = join(root, 'src', 'compute', 'native');
  if (isBuilt(folder)) return true;
  if (!again && hasFailed(folder)) {
    say(`${SLOWER}: building them has failed before, see ${failureOf(folder)}; "${command(root)}" tries again.`);
    return false;
  }
  if (!isWritable(folder)) {
    say(`${SLOWER}: they are not built yet, and this account cannot write to ${folder}; its owner can: ${command(root)}.`);
    return false;
  }
  const once = (holdFor) => isBuilt(folder) || build(root, folder, { install, libraries, holdFor });
  return withLock(join(root, '.millrace', 'setup.lock'), once);
}

function isWritable(folder) {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** Debian packages that the build needs and that are not there. */
function missingPackages(libraries) {
  const here = {
    'g++': findProgram('g++') ?? findProgram('clang++'),
    make: findProgram('make'),
    python3: findProgram('python3'),
    'libopenblas-dev': process.platform === 'darwin' || libraries.some((folder) => existsSync(join(folder, 'libopenblas.so'))),
  };
  return Object.keys(here).filter((name) => !here[name]);
}

async function build(root, folder, { install, libraries, holdFor }) {
  const began = Date.now();
  const missing = () => missingPackages(libraries);
  if (missing().length > 0 && install && canInstall()) {
    say(`Installing ${missing().join(', ')} (once), for compute kernels that are built on this machine ...`);
    const tail = await aptInstall(missing(), holdFor);
    if (tail !== undefined) say(tail);
  }
  if (missing().length > 0) {
    say(`${SLOWER}: missing ${missing().join(', ')}. ${adviceFor(root, missing())}`);
    return false;
  }
  const gyp = nodeGyp();
  if (gyp === undefined) {
    say(`${SLOWER}: npm's node-gyp was not found; run "${command(root)}".`);
    return false;
  }
  say('Building the compute kernels (once; this takes about a minute) ...');
  rmSync(recordOf(folder), { force: true });
  const { code, tail } = await runQuietly(process.execPath, [gyp, 'rebuild', ...headers(root)], {
    cwd: folder,
    env: { ...process.env, GYP_DEFINES: `arch=${arch()}` },
    timeoutMs: TIMEOUT_MS,
    onStart: holdFor,
  });
  if (code !== 0) {
    mkdirSync(dirname(failureOf(folder)), { recursive: true });
    writeFileSync(failureOf(folder), `${identity(folder)}\n${tail}\n`);
    say(`${SLOWER}: building them failed, see ${failureOf(folder)}; "${command(root)}" tries again.`);
    return false;
  }
  writeFileSync(
    recordOf(folder),
    `${JSON.stringify({ processor: arch() === 'native' ? processor() : 'any', sources: sources(folder) })}\n`,
  );
  say(`Built the compute kernels in ${Math.round((Date.now() - began) / 1000)} s.`);
  return true;
}

const SLOWER = 'Training runs on WebAssembly, several times slower than on compiled kernels';

function adviceFor(root, packages) {
  const install = process.platform === 'darwin' ? 'xcode-select --install' : aptCommand(packages);
  return `To build them: ${install}, then "${command(root)}".`;
}

/** What a person runs to build them, in a checkout or where this is a dependency of another project. */
function command(root) {
  return root.includes(`${sep}node_modules${sep}`) ? `npm --prefix ${root} run setup:native` : 'npm run setup:native';
}

/** What the compiler may use: this processor's own by default; for an image that moves about, say x86-64-v3. */
function arch() {
  return process.env.MILLRACE_NATIVE_ARCH || 'native';
}

function recordOf(folder) {
  return join(folder, 'build', 'millrace.json');
}

/** Built from these sources, on a machine of this kind. */
function isBuilt(folder) {
  if (!existsSync(join(folder, 'build', 'Release', 'millrace_native.node')) || !existsSync(recordOf(folder))) return false;
  const record = JSON.parse(readFileSync(recordOf(folder), 'utf8'));
  return (record.processor === 'any' || record.processor === processor()) && record.sources === sources(folder);
}

function failureOf(folder) {
  return join(folder, 'build', 'failure.log');
}

function hasFailed(folder) {
  return existsSync(failureOf(folder)) && readFileSync(failureOf(folder), 'utf8').startsWith(`${identity(folder)}\n`);
}

/** What a failed build was tried with. A build that worked does for every Node.js. */
function identity(folder) {
  return `${processor()} ${process.version} ${sources(folder)}`;
}

function sources(folder) {
  const hash = createHash('sha256').update(arch());
  const addon = join(folder, 'addon');
  for (const file of [
    join(folder, 'binding.gyp'),
    ...readdirSync(addon)
      .sort()
      .map((name) => join(addon, name)),
  ]) {
    hash.update(file.slice(folder.length)).update(readFileSync(file));
  }
  return hash.digest('hex');
}

/** npm brings node-gyp along. */
export function nodeGyp() {
  const npm = process.env.npm_execpath ?? findProgram('npm');
  const besides = npm === undefined ? [] : [join(dirname(npm), '..', 'node_modules', 'node-gyp', 'bin', 'node-gyp.js')];
  const prefix = dirname(dirname(process.execPath));
  const usual = join('lib', 'node_modules', 'npm', 'node_modules', 'node-gyp', 'bin', 'node-gyp.js');
  const shared = join('share', 'nodejs', 'node-gyp', 'bin', 'node-gyp.js');
  return [process.env.npm_config_node_gyp, ...besides, join(prefix, usual), join('/usr', usual), join('/usr', shared)].find(
    (path) => path !== undefined && existsSync(path),
  );
}

/**
 * node-gyp's argument for the headers: those that come with this Node.js, else those of the package node-api-headers, which say
 * the same for every version: our addons use Node-API alone. Nothing is downloaded, as node-gyp would.
 *
 * @param prefix - where this Node.js is installed
 */
export function headers(root, prefix = dirname(dirname(process.execPath))) {
  if (existsSync(join(prefix, 'include', 'node', 'node_api.h'))) return [`--nodedir=${prefix}`];
  const packaged = packagedHeaders(root);
  if (packaged === undefined || !existsSync(packaged)) return [];
  const made = join(root, 'node_modules', '.cache', 'millrace', 'node-api');
  const include = join(made, 'include', 'node');
  cpSync(packaged, include, { recursive: true });
  writeFileSync(join(include, 'common.gypi'), COMMON_GYPI);
  return [`--nodedir=${made}`];
}

/** In this package's own node_modules, or beside this package. */
function packagedHeaders(root) {
  try {
    return createRequire(join(root, 'package.json'))('node-api-headers').include_dir;
  } catch {
    return undefined;
  }
}

/** What Node's own common.gypi means for an addon on Linux. */
const COMMON_GYPI = `{
  'target_defaults': {
    'cflags': ['-pthread', '-fno-strict-aliasing', '-fno-omit-frame-pointer'],
    'ldflags': ['-pthread'],
  },
}
`;
