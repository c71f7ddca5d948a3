import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { findProgram } from '../setup/apt.js';
import { runInForeground } from '../setup/child.js';
import { findNatsServer } from '../setup/nats-server.js';
import { resultOf } from './result-of.js';

/** What a generated client takes, from PyPI. */
const PACKAGES = ['grpcio-tools>=1.66,<2', 'protobuf>=5,<8'];
const START_MS = 120_000;

/**
 * The admin API from Python: a client is generated from the protos with grpcio-tools and drives a cluster (client.py): it creates a job, watches
 * it, pauses, resumes and reads its status. The packages are kept in a virtual environment in the cache.
 */
export async function python(
  _options,
  root,
  { find = findNatsServer, start = runInForeground, result = resultOf, up = startCluster } = {},
) {
  const program = findProgram('python3', []);
  if (program === undefined) return { skipped: 'python3 is not installed' };
  if (find() === undefined) return { skipped: 'nats-server is not installed' };
  const folder = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'millrace', 'python-client');
  const interpreter = join(folder, 'bin', 'python');
  if ((await result(interpreter, ['-c', 'import grpc_tools.protoc'], { cwd: root })).code !== 0) {
    const made = await result(program, ['-m', 'venv', folder], { cwd: root });
    if (made.code !== 0) return { skipped: `no virtual environment can be made: ${made.problem}` };
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--retries', '1', ...PACKAGES];
    const installed = await result(interpreter, pip, { cwd: root });
    if (installed.code !== 0) return { skipped: `grpcio-tools cannot be installed from PyPI: ${installed.problem}` };
  }
  const work = mkdtempSync(join(tmpdir(), 'millrace-python-'));
  const cluster = await up(root, join(work, 'state'));
  try {
    const code = await start(interpreter, [join(root, 'scripts', 'test-long', 'client.py'), work], {
      cwd: root,
      env: { ...process.env, MILLRACE_ADDRESS: cluster.address, MILLRACE_TOKEN: cluster.token },
    });
    return code === 0 ? { passed: 'a client that grpcio-tools generated' } : { failed: 'scripts/test-long/client.py' };
  } finally {
    await cluster.stop();
    rmSync(work, { recursive: true, force: true });
  }
}

/** `millrace up` as a process of its own; resolves once its admin API is there. */
async function startCluster(root, stateDir) {
  const args = [join(root, 'bin', 'millrace.js'), 'up', '--state', stateDir, '--quiet'];
  const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const stop = async () => {
    child.kill('SIGTERM');
    await ended;
  };
  const file = join(stateDir, 'admin.json');
  for (const deadline = Date.now() + START_MS; !existsSync(file);) {
    if (child.exitCode !== null || Date.now() > deadline) {
      await stop();
      throw new Error(`millrace up did not start (exit code ${child.exitCode})`);
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  const { address, token } = JSON.parse(readFileSync(file, 'utf8'));
  return { address, token, stop };
}
