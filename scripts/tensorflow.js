// Builds the optional backends on TensorFlow's own library: npm run setup:tensorflow [-- --gpu] [--version 2.21.0]
// See docs/gpu.md.
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { runInForeground } from './setup/child.js';
import { TESTED_VERSION } from './setup/libtensorflow.js';
import { checkNodeVersion } from './setup/node-version.js';
import { ensurePackages } from './setup/packages.js';
import { main, say } from './setup/say.js';
import { hasNvidiaDriver, setupTensorflow } from './setup/tensorflow.js';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { values } = parseArgs({
  options: { gpu: { type: 'boolean', default: false }, version: { type: 'string', default: TESTED_VERSION } },
});

await main(async () => {
  checkNodeVersion();
  await ensurePackages(root);
  const began = Date.now();
  await setupTensorflow(root, values);
  say(`Built in ${Math.round((Date.now() - began) / 1000)} s. This machine says:`);
  const probe = [join(root, 'scripts', 'tensorflow', 'probe.ts'), values.gpu ? 'tensorflow-gpu' : 'tensorflow'];
  const code = await runInForeground(process.execPath, ['--import', 'tsx', ...probe], { cwd: root, env: process.env });
  // An image for machines with GPUs may well be built on one without.
  const mayBeElsewhere = values.gpu && !hasNvidiaDriver();
  if (code !== 0 && mayBeElsewhere) say('It is built all the same, for a machine with an NVIDIA driver.');
  return mayBeElsewhere ? 0 : code;
});
