import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

/** Writes files into a folder, with the folders they need. */
export function writeFiles(folder: string, files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    const file = join(folder, name);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
}

/**
 * Runs a script in a process of Millrace's own, since a test's process loads modules in another way.
 * @param script - a module's text with `ROOT` for the folder of this package
 * @returns what it printed last, as JSON
 */
export function runScript(folder: string, script: string): unknown {
  writeFiles(folder, { 'script.mts': script.replaceAll('ROOT/', ROOT) });
  const output = execFileSync(
    process.execPath,
    ['--import', join(ROOT, 'node_modules/tsx/dist/esm/index.mjs'), join(folder, 'script.mts')],
    { encoding: 'utf8', timeout: 30_000, env: { ...process.env, NODE_OPTIONS: '' } },
  );
  return JSON.parse(output);
}
