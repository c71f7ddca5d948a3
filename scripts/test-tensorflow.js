// Runs the compute layer's tests on TensorFlow's own library: npm run test:tensorflow [-- --gpu] [files]
// Not part of `npm test`: the backend has to be built first, with `npm run setup:tensorflow`.
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runInForeground } from './setup/child.js';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const given = process.argv.slice(2);
const backend = given.includes('--gpu') ? 'tensorflow-gpu' : 'tensorflow';
const env = { ...process.env, MILLRACE_TEST_BACKEND: backend };

// A backend that is not there would be reported by every test; once is enough.
const probe = ['--import', 'tsx', join(root, 'scripts', 'tensorflow', 'probe.ts'), backend];
process.exitCode = await runInForeground(process.execPath, probe, { cwd: root, env });
if (process.exitCode === 0) {
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
  const config = join(root, 'scripts', 'tensorflow', 'vitest.config.ts');
  const files = given.filter((argument) => argument !== '--gpu');
  process.exitCode = await runInForeground(process.execPath, [vitest, 'run', '--config', config, ...files], { cwd: root, env });
}
