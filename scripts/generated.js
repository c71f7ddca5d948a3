// Writes src/gen from proto/ and the tables of docs/ from the schemas, or with --check tells whether they are what the generators write.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const env = { ...process.env, PATH: `${join(root, 'node_modules', '.bin')}${delimiter}${process.env.PATH ?? ''}` };

function generate(into) {
  const { status, error } = spawnSync('buf', ['generate', '-o', into], { cwd: root, env, stdio: 'inherit' });
  if (error !== undefined) throw error;
  if (status !== 0) process.exit(status ?? 1);
}

/** Contents of all files of a folder by path. */
function filesIn(folder) {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return new Map(
    entries.map((entry) => [
      join(entry.parentPath, entry.name).slice(folder.length + 1),
      readFileSync(join(entry.parentPath, entry.name), 'utf8'),
    ]),
  );
}

if (process.argv.includes('--check')) {
  const fresh = mkdtempSync(join(tmpdir(), 'millrace-generated-'));
  try {
    generate(fresh);
    const wanted = filesIn(join(fresh, 'src', 'gen'));
    const present = filesIn(join(root, 'src', 'gen'));
    const differing = [...new Set([...wanted.keys(), ...present.keys()])].filter(
      (path) => wanted.get(path) !== present.get(path),
    );
    if (differing.length > 0) {
      console.error(`src/gen is not what proto/ gives (${differing.join(', ')}): run "npm run generate" and commit the result`);
      process.exitCode = 1;
    }
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
} else {
  generate('.');
}

const check = process.argv.includes('--check') ? ['--check'] : [];
const { status } = spawnSync(process.execPath, ['--import', 'tsx', join(root, 'docs', 'generate.ts'), ...check], {
  cwd: root,
  stdio: 'inherit',
});
if (status !== 0) process.exitCode = 1;
