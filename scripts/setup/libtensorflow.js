// TensorFlow's C library with its headers, taken from the official Python wheel.
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runQuietly } from './command.js';
import { say, SetupError } from './say.js';

/** The version all of this was run with. */
export const TESTED_VERSION = '2.21.0';

const TIMEOUT_MS = 60 * 60_000;
const UNPACK = join(dirname(fileURLToPath(import.meta.url)), 'unpack_wheel.py');

/** Of the wheel: the two libraries, and the headers that the binding includes, with what those include. */
const WANTED = [
  'tensorflow/libtensorflow_cc.so.*',
  'tensorflow/libtensorflow_framework.so.*',
  'tensorflow/include/tensorflow/c/*.h',
  'tensorflow/include/tensorflow/core/platform/*.h',
  'tensorflow/include/tsl/*.h',
  'tensorflow/include/xla/tsl/*.h',
  '*.dist-info/METADATA',
];
/** Of CUDA's packages: libraries, and the compiler of kernels with its own library; no headers. */
const WANTED_CUDA = ['nvidia/*/lib/*.so*', 'nvidia/cuda_nvcc/bin/*', 'nvidia/cuda_nvcc/nvvm/*'];

/** What pip calls this machine. Wheels for older systems run on newer ones, so older names come too. */
const MACHINES = { x64: 'x86_64', arm64: 'aarch64' };

/**
 * Fetches libtensorflow unless it is there already.
 *
 * @param cache - folder for what is fetched; a library takes about 0.9 GB in it, with CUDA about 5 GB
 * @returns a folder with `include`, `lib` and, with `gpu`, `nvidia`, laid out as tfjs-node's build and the libraries' own
 *   search paths expect them
 */
export async function ensureLibtensorflow(cache, { gpu, version, holdFor }) {
  const folder = join(cache, `libtensorflow-${version}-${gpu ? 'gpu' : 'cpu'}`);
  if (existsSync(folder)) return folder;
  const partial = `${folder}.partial`;
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(partial, { recursive: true });
  const pip = (...requirements) => download(partial, requirements, holdFor);
  // Only x86-64 has a package without CUDA; for other processors the full one has none anyway.
  const name = gpu || process.arch !== 'x64' ? 'tensorflow' : 'tensorflow-cpu';
  say(`Downloading ${name} ${version} (${gpu ? 'about 0.6' : 'about 0.3'} GB) from Python's package index ...`);
  await pip(`${name}==${version}`);
  await unpack(partial, WANTED, holdFor);
  if (gpu) {
    const cuda = cudaRequirements(readFileSync(metadataOf(partial), 'utf8'));
    if (cuda.length === 0) throw new SetupError(`${name} ${version} names no CUDA packages: it is not a version for GPUs.`);
    say(`Downloading ${cuda.length} CUDA packages (about 2.5 GB) ...`);
    await pip(...cuda);
    await unpack(partial, WANTED_CUDA, holdFor);
  }
  arrange(partial);
  renameSync(partial, folder);
  return folder;
}

/** The CUDA packages that a TensorFlow wheel names for its extra `and-cuda`, as requirements for pip. */
export function cudaRequirements(metadata) {
  return metadata
    .split('\n')
    .map((line) => /^Requires-Dist:\s*([^;]+);\s*extra\s*==\s*["']and-cuda["']/.exec(line)?.[1])
    .filter((requirement) => requirement !== undefined)
    .map((requirement) => requirement.replaceAll(/[\s()]/g, ''));
}

/** pip's options that choose wheels for this machine, whatever Python pip itself runs on: none of them is run. */
export function wheelOptions(arch) {
  const machine = MACHINES[arch];
  if (machine === undefined) throw new SetupError(`There is no TensorFlow for ${arch} processors.`);
  const platforms = ['manylinux_2_28', 'manylinux_2_27', 'manylinux_2_17', 'manylinux2014'];
  return [
    '--no-deps',
    '--only-binary=:all:',
    '--implementation=cp',
    '--python-version=3.12',
    ...platforms.map((platform) => `--platform=${platform}_${machine}`),
  ];
}

async function download(folder, requirements, holdFor) {
  const args = ['-m', 'pip', 'download', '--disable-pip-version-check', ...wheelOptions(process.arch)];
  await python([...args, '--dest', wheelsOf(folder), ...requirements], 'pip could not download the packages', holdFor);
}

/** Unpacks every downloaded wheel and drops it. */
async function unpack(folder, patterns, holdFor) {
  const wheels = wheelsOf(folder);
  for (const wheel of readdirSync(wheels)) {
    await python([UNPACK, join(wheels, wheel), folder, ...patterns], `${wheel} could not be unpacked`, holdFor);
    rmSync(join(wheels, wheel));
  }
}

async function python(args, problem, onStart) {
  const options = { cwd: '/', env: process.env, timeoutMs: TIMEOUT_MS, onStart };
  const { code, tail } = await runQuietly('python3', args, options);
  if (code !== 0) throw new SetupError(`${tail}\n\n${problem} (its last lines are above).`);
}

const wheelsOf = (folder) => join(folder, 'wheels');

function metadataOf(folder) {
  const info = readdirSync(folder).find((name) => name.endsWith('.dist-info'));
  return join(folder, info ?? '', 'METADATA');
}

/** The linker wants names without versions; the loader looks for those with them. */
function arrange(folder) {
  const lib = join(folder, 'lib');
  mkdirSync(lib);
  for (const file of readdirSync(join(folder, 'tensorflow')).filter((name) => name.startsWith('lib'))) {
    renameSync(join(folder, 'tensorflow', file), join(lib, file));
    symlinkSync(file, join(lib, file.startsWith('libtensorflow_cc') ? 'libtensorflow.so' : 'libtensorflow_framework.so'));
  }
  if (readdirSync(lib).length !== 4)
    throw new SetupError(`The wheel does not hold TensorFlow's two libraries: ${readdirSync(lib)}`);
  renameSync(join(folder, 'tensorflow', 'include'), join(folder, 'include'));
  for (const rest of ['tensorflow', 'wheels']) rmSync(join(folder, rest), { recursive: true, force: true });
}
