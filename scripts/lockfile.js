// Completes and checks package-lock.json.
//
//   node scripts/lockfile.js           write what is missing
//   node scripts/lockfile.js --check   exit 1 and say what is wrong
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { runQuietly } from './setup/command.js';
import { missingIntegrity, missingPlatforms, problemsOf, sorted } from './setup/lockfile.js';
import { npmCommand } from './setup/packages.js';
import { main, say } from './setup/say.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const path = `${root}package-lock.json`;
const lock = JSON.parse(readFileSync(path, 'utf8'));
const { allowScripts } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'));

/** What the registry says that a package's archive hashes to; undefined where it has no such package. */
async function integrityOf(name, version) {
  const [command, ...args] = npmCommand();
  const asked = [...args, 'view', '--json', `${name}@${version}`, 'dist.integrity'];
  const { code, tail } = await runQuietly(command, asked, { cwd: root, env: process.env, timeoutMs: 60_000 });
  return code === 0 && tail !== '' ? JSON.parse(tail) : undefined;
}

await main(async () => {
  if (process.argv.includes('--check')) {
    const problems = problemsOf(lock, allowScripts);
    for (const problem of problems) say(`package-lock.json: ${problem}`);
    return problems.length > 0 ? 1 : 0;
  }
  const before = JSON.stringify(lock);
  for (const [where, entry] of missingPlatforms(lock)) lock.packages[where] = entry;
  for (const { where, name, version } of missingIntegrity(lock)) {
    const integrity = await integrityOf(name, version);
    if (integrity === undefined)
      say(`package-lock.json: the registry has no ${name}@${version}, so its entry stays without integrity`);
    else lock.packages[where].integrity = integrity;
  }
  if (JSON.stringify(lock) !== before) {
    writeFileSync(path, `${JSON.stringify(sorted(lock), null, 2)}\n`);
    say('package-lock.json: completed');
  }
  for (const problem of problemsOf(lock, allowScripts)) say(`package-lock.json: ${problem}`);
  return problemsOf(lock, allowScripts).length > 0 ? 1 : 0;
});
