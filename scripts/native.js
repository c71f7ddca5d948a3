// Builds what is compiled here, the compute kernels and the program that confines the store: npm run setup:native (and, without
// installing anything, after npm install).
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureConfinement } from './setup/confinement.js';
import { main, say } from './setup/say.js';
import { ensureNative } from './setup/native.js';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const afterInstall = process.argv.includes('--after-install');

await main(async () => {
  // Where our own setup installs the packages, it builds the kernels itself afterwards.
  if (afterInstall && process.env.MILLRACE_SETUP === '1') return 0;
  await ensureConfinement(root);
  const built = await ensureNative(root, { install: !afterInstall, again: !afterInstall });
  if (built && !afterInstall) say('The compute kernels are built: backend native.');
  return built || afterInstall ? 0 : 1;
});
