// Adds the optional `tensorflow` backend: npm run setup:tensorflow [-- gpu]
// See docs/operations.md for why it is no dependency.
import { spawnSync } from 'node:child_process';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const name = process.argv[2] === 'gpu' ? '@tensorflow/tfjs-node-gpu' : '@tensorflow/tfjs-node';
const install = ['install', '--no-save', '--no-audit', '--no-fund', '--ignore-scripts=false', `${name}@4.22.0`];
const { status } = spawnSync('npm', install, { cwd: root, stdio: 'inherit' });
if (status !== 0) {
  console.error(
    `${name} could not be installed: its binary comes from a host of its own that must be reachable (TFJS_NODE_CDN_STORAGE names a mirror). Millrace works without it, on the wasm backend.`,
  );
}
process.exitCode = status ?? 1;
