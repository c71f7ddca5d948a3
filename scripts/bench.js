// npm run bench: sets up what is missing, then runs one of the scenarios in bench/.
//
//   npm run bench -- compute --json out.json
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runInForeground } from './setup/child.js';
import { ensureConfinement } from './setup/confinement.js';
import { ensureNative } from './setup/native.js';
import { ensureNatsServer } from './setup/nats-server.js';
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
  const bench = join(root, 'bench', 'main.ts');
  return runInForeground(process.execPath, ['--import', 'tsx', bench, ...process.argv.slice(2)], { cwd: root, env: process.env });
});
