import type { Held } from '../compute/protocol.ts';

/** What a process holds at the start, in the middle and at the end of a run. */
export type Course = readonly [start: Held, middle: Held, end: Held];

/** Resident memory may move this much between middle and end without anything being kept: the collector's leeway. */
const LEEWAY_BYTES = 8 * 1024 * 1024;
const LEEWAY_SHARE = 0.03;

/** What grew, one line each; empty when nothing did. Tensors and their bytes must be exactly what they were. */
export function growth([start, middle, end]: Course): string[] {
  const found: string[] = [];
  if (end.tensors > start.tensors) found.push(`${end.tensors - start.tensors} more tensors than before (${end.tensors})`);
  if (end.bytes > start.bytes) found.push(`${end.bytes - start.bytes} more bytes of tensors than before (${end.bytes})`);
  const grown = end.rss - middle.rss;
  // From the middle on: before that, heaps and compiled code still find their size.
  if (grown > Math.max(LEEWAY_BYTES, LEEWAY_SHARE * middle.rss)) {
    found.push(`resident memory grew by ${mebibytes(grown)} MiB in the second half (to ${mebibytes(end.rss)} MiB)`);
  }
  return found;
}

/** Bytes in MiB with one decimal. */
export function mebibytes(bytes: number): string {
  return (bytes / 1024 / 1024).toFixed(1);
}
