import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';
import { MillraceError } from '../../../src/errors.ts';
import type { TraceOfRun } from '../trace.ts';
import { skeleton } from './skeleton.ts';

/** Bundled once a process: script and stylesheet of every page. */
let assets: { script: string; style: string } | undefined;

/**
 * A page that shows a run: lanes, messages, faults and the violation. It is one file that loads nothing else and opens from disk.
 *
 * @returns HTML
 */
export function renderTrace(run: TraceOfRun): string {
  assets ??= bundle();
  return skeleton({ title: `Seed ${run.seed}: ${run.outcome}`, data: JSON.stringify(run), ...assets });
}

function bundle(): { script: string; style: string } {
  const main = fileURLToPath(new URL('./page/main.ts', import.meta.url));
  const { outputFiles } = buildSync({
    ...{ entryPoints: [main], bundle: true, format: 'iife', target: 'es2022', charset: 'utf8', legalComments: 'none' },
    ...{ outdir: 'out', write: false, logLevel: 'silent' },
  });
  const output = (ending: string): string => {
    const file = outputFiles.find(({ path }) => path.endsWith(ending));
    if (file === undefined) throw new MillraceError('internal', `the page of traces was bundled without its ${ending} file`);
    return file.text;
  };
  return { script: output('.js'), style: output('.css') };
}
