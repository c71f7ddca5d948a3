// The optional backends `tensorflow` and `tensorflow-gpu`: the unmodified binding of tfjs-node, built against a newer library.
import { existsSync, rmSync, symlinkSync } from 'node:fs';
import { join, relative } from 'node:path';
import { aptCommand, findProgram } from './apt.js';
import { runQuietly } from './command.js';
import { ensureLibtensorflow } from './libtensorflow.js';
import { withLock } from './lock.js';
import { headers, nodeGyp } from './native.js';
import { npmCommand } from './packages.js';
import { say, SetupError } from './say.js';

const TIMEOUT_MS = 20 * 60_000;
const PACKAGES = { cpu: '@tensorflow/tfjs-node', gpu: '@tensorflow/tfjs-node-gpu' };
/** Of tensorflow.js; both packages have always had the version of the others. */
const VERSION = '4.22.0';
/** Where node-pre-gyp, which the package asks, looks on every Node.js we run on. */
const NODE_API = 8;

/**
 * Installs one of the packages without its install script, fetches libtensorflow, and builds the binding between them.
 *
 * @param gpu - with CUDA
 * @param version - of libtensorflow
 */
export async function setupTensorflow(root, { gpu, version }) {
  await requirePrograms(root);
  await withLock(join(root, '.millrace', 'setup.lock'), async (holdFor) => {
    const kind = gpu ? 'gpu' : 'cpu';
    await installPackage(root, kind, holdFor);
    const cache = join(root, 'node_modules', '.cache', 'millrace');
    const library = await ensureLibtensorflow(cache, { gpu, version, holdFor });
    await build(root, folderOf(root, kind), library, holdFor);
  });
}

/** Everything that is missing is named at once. */
async function requirePrograms(root) {
  if (process.platform !== 'linux') {
    throw new SetupError('Backend tensorflow can be built on Linux only; on this system use native (npm run setup:native).');
  }
  const pip = findProgram('python3') !== undefined && (await succeeds(root, 'python3', ['-m', 'pip', '--version']));
  const missing = [
    !pip && { what: 'Python 3 with pip, which downloads TensorFlow', debian: ['python3', 'python3-pip'] },
    findProgram('g++') === undefined && { what: 'a C++ compiler', debian: ['g++'] },
    findProgram('make') === undefined && { what: 'make', debian: ['make'] },
  ].filter((need) => need !== false);
  if (missing.length > 0) {
    const packages = missing.flatMap(({ debian }) => debian);
    throw new SetupError(
      `setup:tensorflow needs ${missing.map(({ what }) => what).join('; ')}. On Debian and Ubuntu: ${aptCommand(packages)}`,
    );
  }
  if (nodeGyp() === undefined) {
    throw new SetupError(
      "npm's node-gyp was not found: run this as npm run setup:tensorflow, or name it in npm_config_node_gyp.",
    );
  }
}

async function succeeds(cwd, command, args) {
  return (await runQuietly(command, args, { cwd, env: process.env, timeoutMs: 60_000 })).code === 0;
}

async function installPackage(root, kind, holdFor) {
  // npm takes away what it is not told of, so one that was built before is named again.
  const kept = Object.keys(PACKAGES).filter((other) => other === kind || existsSync(bindingOf(root, other)));
  const wanted = kept.map((each) => `${PACKAGES[each]}@${VERSION}`);
  if (existsSync(bindingOf(root, kind))) say(`${PACKAGES[kind]} is there; building its binding again.`);
  else say(`Installing ${PACKAGES[kind]} ${VERSION} ...`);
  const [command, ...args] = npmCommand();
  // Its install script would fetch a library of 2022, from a host of its own.
  const options = ['install', '--no-save', '--ignore-scripts', '--no-audit', '--no-fund', '--no-progress', '--loglevel=error'];
  await orFail(command, [...args, ...options, ...wanted], root, `npm could not install ${wanted.join(' ')}`, holdFor);
}

async function build(root, folder, library, holdFor) {
  const deps = join(folder, 'deps');
  for (const old of [deps, join(folder, 'lib')]) rmSync(old, { recursive: true, force: true });
  symlinkSync(relative(folder, library), deps);
  say('Building the binding ...');
  const binding = [
    '--module_name=tfjs_binding',
    `--module_path=${join(folder, 'lib', `napi-v${NODE_API}`)}`,
    `--napi_build_version=${NODE_API}`,
  ];
  const problem = 'building the binding failed';
  await orFail(process.execPath, [nodeGyp(), 'rebuild', ...headers(root), ...binding], folder, problem, holdFor);
}

async function orFail(command, args, cwd, problem, onStart) {
  const { code, tail } = await runQuietly(command, args, { cwd, env: process.env, timeoutMs: TIMEOUT_MS, onStart });
  if (code !== 0) throw new SetupError(`${tail}\n\n${problem} (its last lines are above).`);
}

/** Whether a driver for NVIDIA GPUs is loaded here. */
export function hasNvidiaDriver() {
  return existsSync('/dev/nvidiactl') || existsSync('/dev/dxg');
}

function folderOf(root, kind) {
  return join(root, 'node_modules', ...PACKAGES[kind].split('/'));
}

function bindingOf(root, kind) {
  return join(folderOf(root, kind), 'lib', `napi-v${NODE_API}`, 'tfjs_binding.node');
}
