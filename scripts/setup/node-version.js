import { SetupError } from './say.js';

const OLDEST = [20, 12];

/** Throws unless this Node.js can run Millrace; the same range as `engines` in package.json. */
export function checkNodeVersion(version = process.versions.node) {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) return;
  throw new SetupError(
    `Millrace needs Node.js ${OLDEST.join('.')} or newer; this is ${version}. Install Node.js 24 (or 22, or 26) and try again.`,
  );
}
