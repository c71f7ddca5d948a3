import { totalmem } from 'node:os';
import type { ComputeInfo } from '../../src/compute/backend.ts';
import type { Gpu } from '../infra/gpus.ts';

/** Fields and text of the line that says what a process computes with: backend, device, memory and measured speed. */
export interface ComputeLine {
  backend: string;
  device: string;
  /** Of the GPU if it computes on one and its size is known, else what this process may use of the machine's. */
  memoryMiB: number;
  gflops: number;
  /** Why better backends were not taken. */
  skipped: readonly string[];
}

/**
 * The arguments of the log call.
 *
 * @param gpu what the process was given; it counts only if the backend uses one
 */
export function startLine(
  { backend, device, gflops, skipped }: Omit<ComputeInfo, 'describe'>,
  gpu: Gpu | undefined,
  ownMemory = ownMemoryMiB(),
): [ComputeLine, string] {
  const used = backend === 'tensorflow-gpu' ? gpu : undefined;
  const named = used?.name === undefined ? device : `${used.name}, ${device}`;
  const memoryMiB = used ? (used.memoryMiB ?? ownMemory) : ownMemory;
  const fields = { backend, device: named, memoryMiB, gflops: Math.round(gflops * 10) / 10, skipped };
  const memory =
    used && used.memoryMiB === undefined ? 'memory of the device unknown' : `${(memoryMiB / 1024).toFixed(1)} GiB of memory`;
  return [fields, `compute: ${backend} on ${named}, ${memory}, ${gflops.toFixed(1)} GFLOP/s`];
}

/** The machine's memory, or the part of it that the container may use. */
function ownMemoryMiB(): number {
  const limit = process.constrainedMemory();
  const total = totalmem();
  return Math.round((limit !== undefined && limit > 0 && limit < total ? limit : total) / 2 ** 20);
}
