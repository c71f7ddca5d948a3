#!/usr/bin/env node
// The command line. In an installed package it runs the build in dist/. In a checkout it compiles the
// sources when they have changed, and what is missing on a fresh clone is set up first.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { computes } from '../scripts/setup/command-needs.js';
import { checkNodeVersion } from '../scripts/setup/node-version.js';
import { ensurePackages, isInstalled } from '../scripts/setup/packages.js';
import { main, say } from '../scripts/setup/say.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const built = !existsSync(join(root, 'cluster'));

await main(async () => {
  checkNodeVersion();
  if (!built && !existsSync(join(root, 'node_modules', 'tsx'))) {
    await ensurePackages(root);
  }
  // Not installed by itself: a cluster may be running from the packages that are there.
  if (!built && !isInstalled(root)) say('warning: package-lock.json has changed since the packages were installed: run "npm ci"');
  if (computes(process.argv.slice(2))) {
    const [{ ensureNative }, { ensureConfinement }] = await Promise.all([
      import('../scripts/setup/native.js'),
      import('../scripts/setup/confinement.js'),
    ]);
    await ensureNative(root);
    await ensureConfinement(root);
  }
  const { run } = built ? await import('../dist/cluster/cli/main.js') : await sources();
  await run();
  return process.exitCode;
});

async function sources() {
  const { ensureCompiled } = await import('../scripts/setup/compiled.js');
  const folder = await ensureCompiled(root);
  if (folder !== undefined) return import(pathToFileURL(join(folder, 'cluster', 'cli', 'main.js')).href);
  const { register } = await import('tsx/esm/api');
  // Our own settings, whatever folder the command is run in.
  register({ tsconfig: join(root, 'tsconfig.json') });
  return import('../cluster/cli/main.ts');
}
