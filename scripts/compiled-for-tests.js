// Global setup of the tests: the processes of the clusters that they start run from a build of these sources.
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureCompiled } from './setup/compiled.js';

export async function setup() {
  const build = await ensureCompiled(dirname(dirname(fileURLToPath(import.meta.url))));
  if (build !== undefined) process.env.MILLRACE_BUILD = build;
}
