import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Command } from './participant.ts';

/** Backends of this project that the table shows, best first; `cpu` is for reference only and far slower. */
export const MEASURED_BACKENDS = ['native', 'tensorflow', 'wasm'] as const;
/** Name of the peer. */
export const PYTORCH = 'pytorch';
/** How to get the peer. */
export const PYTORCH_MISSING =
  'PyTorch was not found, so there is nothing to compare with: "apt-get install python3-torch" installs Debian\'s, or set ' +
  'MILLRACE_PYTORCH_PYTHON to a python that imports torch';

/** A backend of this project. */
export function backendCommand(name: string, nodeArgs: readonly string[] = []): Command {
  const worker = fileURLToPath(new URL('worker.ts', import.meta.url));
  return { name, file: process.execPath, args: [...nodeArgs, '--import', 'tsx', worker, name] };
}

/** The same networks in PyTorch; undefined when no python with torch is found. */
export function pytorchCommand(env: NodeJS.ProcessEnv = process.env): Command | undefined {
  const python = findPython(env);
  const script = fileURLToPath(new URL('../peers/compute.py', import.meta.url));
  return python === undefined ? undefined : { name: PYTORCH, file: python, args: [script], env: KEEP_MEMORY };
}

/**
 * Without these, the C library hands the memory of large tensors back to the system after each operation and asks for it
 * again, page by page, at the next: PyTorch's own advice is an allocator that keeps it.
 */
const KEEP_MEMORY = { MALLOC_MMAP_THRESHOLD_: '1073741824', MALLOC_TRIM_THRESHOLD_: '4294967296', PYTHONDONTWRITEBYTECODE: '1' };

/** The first python whose torch and numpy go together (one built for numpy 1 has no tensors from numpy 2): the one of MILLRACE_PYTORCH_PYTHON alone, or those of the path and of the system. */
function findPython(env: NodeJS.ProcessEnv): string | undefined {
  const named = env['MILLRACE_PYTORCH_PYTHON'];
  const candidates = named === undefined || named === '' ? ['python3', '/usr/bin/python3'] : [named];
  return candidates.find((python) => {
    const works = 'import torch; torch.zeros(1).numpy()';
    return spawnSync(python, ['-c', works], { timeout: 60_000, stdio: 'ignore' }).status === 0;
  });
}

/** A core to pin to: the last one this process may use, where `taskset` exists. */
export function pinnableCore(): number | undefined {
  const { status, stdout } = spawnSync('taskset', ['-cp', String(process.pid)], { encoding: 'utf8' });
  const cores = status === 0 ? /:\s*([\d,-]+)\s*$/.exec(stdout)?.[1] : undefined;
  const last = cores === undefined ? undefined : /(\d+)$/.exec(cores)?.[1];
  return last === undefined ? undefined : Number(last);
}
