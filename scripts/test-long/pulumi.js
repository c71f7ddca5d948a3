import { join } from 'node:path';
import { runInForeground } from '../setup/child.js';
import { resultOf } from './result-of.js';

/** The Pulumi program of deploy/pulumi on Pulumi's mocks, and its types. Its packages are installed for that, from npm. */
export async function pulumi(_options, root, { start = runInForeground, result = resultOf } = {}) {
  const cwd = join(root, 'deploy', 'pulumi');
  const view = await result('npm', ['view', '@pulumi/pulumi', 'version'], { cwd });
  if (view.code !== 0) return { skipped: `npm does not give package @pulumi/pulumi: ${view.problem}` };
  for (const args of [
    ['ci', '--ignore-scripts', '--no-audit', '--no-fund'],
    ['run', '--silent', 'types'],
    ['test', '--silent'],
  ]) {
    const code = await start('npm', args, { cwd, env: process.env });
    if (code !== 0) return { failed: `npm ${args.join(' ')} in deploy/pulumi` };
  }
  return { passed: "deploy/pulumi on Pulumi's mocks" };
}
