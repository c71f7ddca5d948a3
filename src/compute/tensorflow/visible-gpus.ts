/** What a process may know about GPUs without starting anything. */
import { existsSync } from 'node:fs';

/** The control device of NVIDIA's driver on Linux, and what stands for it in WSL. */
const DRIVER_FILES = ['/dev/nvidiactl', '/dev/dxg'];

/** Whether a driver for NVIDIA GPUs is loaded on this machine. */
export function hasNvidiaDriver(): boolean {
  return DRIVER_FILES.some((path) => existsSync(path));
}

/**
 * The value of CUDA_VISIBLE_DEVICES: which GPUs CUDA shows to a process, by index or UUID, separated by commas. Undefined
 * when all are shown; '' when none is. CUDA stops reading at the first entry that names no device, like the usual -1.
 */
export function visibleGpus(env: Readonly<Record<string, string | undefined>> = process.env): string | undefined {
  const value = env['CUDA_VISIBLE_DEVICES'];
  if (value === undefined) return undefined;
  const entries = value.split(',').map((entry) => entry.trim());
  const end = entries.findIndex((entry) => entry === '' || /^-/.test(entry) || entry === 'NoDevFiles');
  return entries.slice(0, end === -1 ? entries.length : end).join(',');
}
