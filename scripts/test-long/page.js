import { join } from 'node:path';
import { findProgram } from '../setup/apt.js';
import { runInForeground } from '../setup/child.js';

/** Pages in a browser: every `*.accept.ts` of cluster/ and test/page/ (scripts/page/vitest.config.ts). */
export async function page(_options, root, { find = findChromium, start = runInForeground } = {}) {
  const chromium = find();
  if (chromium === undefined)
    return { skipped: 'Chromium is not installed (set CHROMIUM to its path where it has another name)' };
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
  const config = join(root, 'scripts', 'page', 'vitest.config.ts');
  const env = { ...process.env, MILLRACE_TEST_CHROMIUM: chromium };
  const code = await start(process.execPath, [vitest, 'run', '--config', config], { cwd: root, env });
  return code === 0 ? { passed: `with ${chromium}` } : { failed: `with ${chromium}` };
}

function findChromium() {
  const named = process.env.CHROMIUM;
  if (named !== undefined && named !== '') return named;
  const names = ['chromium', 'chromium-browser', 'google-chrome'];
  return names.map((name) => findProgram(name, [])).find((path) => path !== undefined);
}
