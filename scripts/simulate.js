// npm run simulate: sets up what is missing, then runs the cluster in simulation; see docs/simulation.md.
//
//   npm run simulate -- --seeds 10000
//   npm run simulate -- --seed 17 --html run.html
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runInForeground } from './setup/child.js';
import { ensureCompiled } from './setup/compiled.js';
import { ensureNative } from './setup/native.js';
import { checkNodeVersion } from './setup/node-version.js';
import { ensurePackages } from './setup/packages.js';
import { main } from './setup/say.js';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

await main(async () => {
  checkNodeVersion();
  await ensurePackages(root);
  await ensureNative(root);
  const simulate = join(root, 'test', 'simulation', 'main.ts');
  // Workers that run thousands of seeds run from compiled modules; where there can be none, from the sources.
  const build = await ensureCompiled(root, join(root, 'node_modules', '.cache', 'millrace-simulation'), {
    entries: ['test/simulation/worker-main.ts', 'src/index.ts', 'src/math.ts'],
    folders: ['src', 'cluster', 'bench/load', 'test/simulation'],
  });
  return runInForeground(process.execPath, ['--import', 'tsx', simulate, ...process.argv.slice(2)], {
    cwd: root,
    env: build === undefined ? process.env : { ...process.env, MILLRACE_SIMULATION_BUILD: build },
  });
});
