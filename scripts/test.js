// npm test: sets up what is missing, then runs the tests; arguments after `--` go to vitest.
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runInForeground } from './setup/child.js';
import { ensureConfinement } from './setup/confinement.js';
import { ensureNatsServer } from './setup/nats-server.js';
import { ensureNative } from './setup/native.js';
import { checkNodeVersion } from './setup/node-version.js';
import { ensurePackages } from './setup/packages.js';
import { main } from './setup/say.js';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

await main(async () => {
  checkNodeVersion();
  await ensurePackages(root);
  await ensureNatsServer(root, { required: false });
  await ensureNative(root);
  await ensureConfinement(root);
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
  return runInForeground(process.execPath, [vitest, 'run', ...process.argv.slice(2)], { cwd: root, env: process.env });
});
