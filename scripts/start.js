// npm start: sets up what is missing, then trains the retail example on an embedded cluster of this machine.
//
//   npm start -- --data DIR --report out.json      the arguments of `millrace train`
//   npm start -- examples/word-problems/job.yaml   another job
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runInForeground } from './setup/child.js';
import { ensureNatsServer } from './setup/nats-server.js';
import { checkNodeVersion } from './setup/node-version.js';
import { ensurePackages } from './setup/packages.js';
import { main } from './setup/say.js';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const DEFAULT_JOB = 'examples/retail/job.yaml';

await main(async () => {
  checkNodeVersion();
  await ensurePackages(root);
  await ensureNatsServer(root, { required: true });
  const given = process.argv.slice(2);
  const job = /\.ya?ml$/.test(given[0] ?? '') ? [] : [DEFAULT_JOB];
  return runInForeground(process.execPath, [join(root, 'bin', 'millrace.js'), 'train', ...job, ...given], {
    cwd: root,
    env: process.env,
  });
});
