// What package-lock.json must hold.

/**
 * Packages whose integrity no registry at hand could tell: builds of chdb for other platforms than the one we support. They are
 * never installed on Linux x64. `node scripts/lockfile.js` asks for them again; once it has them, their names go from here.
 */
const UNVERIFIED = ['@chdb/lib-darwin-arm64', '@chdb/lib-darwin-x64', '@chdb/lib-linux-arm64-gnu'];

const REGISTRY = 'https://registry.npmjs.org/';
const SHA512 = /^sha512-[A-Za-z0-9+/]{86}==$/;

/** Name of the package at a path of the lock: `node_modules/a/node_modules/@b/c` is `@b/c`, unless the entry is an alias. */
function nameOf(where, entry) {
  return entry.name ?? where.slice(where.lastIndexOf('node_modules/') + 'node_modules/'.length);
}

/** Entries that are downloaded: not the root, not folders of this repository and links to them. */
function downloaded(lock) {
  return Object.entries(lock.packages).filter(([where, entry]) => where.includes('node_modules/') && entry.link !== true);
}

/**
 * What is wrong with a lock file, one sentence each. Every package that is downloaded must be pinned by the SHA-512 of its archive and come from
 * npm's registry; every platform's packages must be there; a package that would run a script when it is installed must be named in package.json.
 *
 * @param allowScripts - of package.json: package name → whether its install script runs
 */
export function problemsOf(lock, allowScripts = {}) {
  const problems = [];
  if (lock.lockfileVersion !== 3)
    problems.push(`lockfileVersion is ${lock.lockfileVersion}, not 3: write it with npm 9 or newer`);
  const missing = missingPlatforms(lock).map(([where, entry]) => nameOf(where, entry));
  if (missing.length > 0) problems.push(`lacks ${missing.join(', ')}; run \`node scripts/lockfile.js\` and commit the result`);
  for (const [where, entry] of downloaded(lock)) {
    const name = nameOf(where, entry);
    const exempt = UNVERIFIED.includes(name);
    if (entry.integrity === undefined && !exempt)
      problems.push(`${where} has no integrity; run \`node scripts/lockfile.js\` and commit the result`);
    else if (entry.integrity === undefined && !(entry.optional === true && isForAnotherPlatform(entry)))
      problems.push(`${where} has no integrity and may be installed on Linux x64`);
    else if (entry.integrity !== undefined && exempt)
      problems.push(`${where} has integrity now: take ${name} from the exceptions in scripts/setup/lockfile.js`);
    else if (entry.integrity !== undefined && !SHA512.test(entry.integrity))
      problems.push(`${where}: integrity is ${entry.integrity}, not one SHA-512`);
    if (entry.resolved !== undefined && !entry.resolved.startsWith(REGISTRY))
      problems.push(`${where} comes from ${entry.resolved}, not from ${REGISTRY}`);
    if (entry.hasInstallScript === true && allowScripts[name] === undefined)
      problems.push(`${where} has an install script: say in allowScripts of package.json whether it runs`);
  }
  return problems;
}

function isForAnotherPlatform({ os = ['linux'], cpu = ['x64'] }) {
  return !os.includes('linux') || !cpu.includes('x64');
}

/** Packages without integrity. */
export function missingIntegrity(lock) {
  return downloaded(lock)
    .filter(([, entry]) => entry.integrity === undefined)
    .map(([where, entry]) => ({ where, name: nameOf(where, entry), version: entry.version }));
}

/**
 * Entries of platform packages that npm left out, as `[path, entry]`.
 *
 * `npm ci` refuses a lock file that lacks an optional platform package (say, the macOS build of buf), and npm leaves such
 * entries out when it writes the lock on a machine whose registry mirror does not carry them. Their versions are exact
 * in the parent's optionalDependencies, so the entries can be written without asking a registry.
 */
export function missingPlatforms(lock) {
  const missing = new Map();
  for (const [from, entry] of Object.entries(lock.packages)) {
    for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
      if (isLocked(lock, from, name)) continue;
      const dev = entry.dev === true ? { dev: true } : {};
      missing.set(`node_modules/${name}`, { version, ...dev, optional: true, ...platformOf(name) });
    }
  }
  return [...missing];
}

/** Whether Node's resolution from the package at `from` finds `name` in the lock. */
function isLocked(lock, from, name) {
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

/** The lock with its packages in npm's order. */
export function sorted(lock) {
  const [root, ...rest] = Object.entries(lock.packages);
  rest.sort(([a], [b]) => a.localeCompare(b, 'en'));
  return { ...lock, packages: Object.fromEntries([root, ...rest]) };
}
