import { readFile } from 'node:fs/promises';
import type { ProcessUse } from './report.ts';

/** Linux counts processor time in hundredths of a second here, on every architecture Node supports. */
const TICKS_PER_SECOND = 100;

/** Peak memory and processor time of a process that is not ours to ask, from /proc; undefined elsewhere. */
export async function readProcessUse(role: string, pid: number): Promise<ProcessUse | undefined> {
  try {
    const [status, stat] = await Promise.all([readFile(`/proc/${pid}/status`, 'utf8'), readFile(`/proc/${pid}/stat`, 'utf8')]);
    const peak = /VmHWM:\s+(\d+) kB/.exec(status)?.[1];
    // The program's name, in parentheses, may hold spaces: fields are counted from behind it.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const ticks = Number(fields[11]) + Number(fields[12]);
    return { role, peakRssBytes: Number(peak ?? 0) * 1024, cpuSeconds: ticks / TICKS_PER_SECOND };
  } catch {
    return undefined;
  }
}
