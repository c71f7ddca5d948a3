import { once } from 'node:events';
import type { CliContext } from './context.ts';
import type { Sink } from './export-trajectories.ts';

/** Writes an export to the standard output; waits where its reader is slow. */
export function stdoutSink({ stdout, signal }: Pick<CliContext, 'stdout' | 'signal'>): Sink {
  // A chunk may end within a character.
  const decoder = new TextDecoder();
  let taken = '';
  return {
    get cursor() {
      return taken;
    },
    async write(data, cursor) {
      const full = stdout.write(decoder.decode(data, { stream: true })) === false;
      taken = cursor;
      if (full && 'once' in stdout) {
        await once(stdout as NodeJS.WriteStream, 'drain', { signal });
      }
    },
  };
}
