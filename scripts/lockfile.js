// Completes package-lock.json with the platform packages that npm left out.
//
// `npm ci` refuses a lock file that lacks an optional platform package (say, the macOS build of buf), and npm leaves such
// entries out when it writes the lock on a machine whose registry mirror does not carry them. Their versions are exact
// in the parent's optionalDependencies, so the entries can be written without asking a registry.
//
//   node scripts/lockfile.js           write what is missing
//   node scripts/lockfile.js --check   exit 1 and name what is missing
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const path = fileURLToPath(new URL('../package-lock.json', import.meta.url));
const lock = JSON.parse(readFileSync(path, 'utf8'));

/** Whether Node's resolution from the package at `from` finds `name` in the lock. */
function isLocked(from, name) {
  for (let at = from; ; at = at.slice(0, Math.max(0, at.lastIndexOf('node_modules/') - 1))) {
    if (lock.packages[`${at === '' ? '' : `${at}/`}node_modules/${name}`] !== undefined) return true;
    if (at === '') return false;
  }
}

/** Operating system, processor and C library that a platform package's name tells. */
function platformOf(name) {
  const match = /(darwin|linux|win32|freebsd|android|openharmony)-([a-z0-9]+)(?:-(gnu|musl|msvc))?/.exec(name);
  if (match === null) throw new Error(`cannot tell the platform of ${name} from its name: add it to package-lock.json by hand`);
  const cpu = { aarch64: 'arm64', armv7: 'arm', ia32: 'ia32', x64: 'x64', arm64: 'arm64' }[match[2]] ?? match[2];
  const libc = { gnu: 'glibc', musl: 'musl' }[match[3]];
  return { cpu: [cpu], os: [match[1]], ...(libc === undefined ? {} : { libc: [libc] }) };
}

const missing = [];
for (const [from, entry] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    if (isLocked(from, name)) continue;
    missing.push(name);
    lock.packages[`node_modules/${name}`] = {
      version,
      ...(entry.dev === true ? { dev: true } : {}),
      optional: true,
      ...platformOf(name),
    };
  }
}

if (process.argv.includes('--check')) {
  if (missing.length > 0) {
    console.error(`package-lock.json lacks ${missing.join(', ')}: run \`node scripts/lockfile.js\` and commit the result`);
    process.exitCode = 1;
  }
} else if (missing.length > 0) {
  const [root, ...rest] = Object.entries(lock.packages);
  rest.sort(([a], [b]) => a.localeCompare(b, 'en'));
  lock.packages = Object.fromEntries([root, ...rest]);
  writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`);
  console.error(`package-lock.json: added ${missing.join(', ')}`);
}
