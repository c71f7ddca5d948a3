import { SetupError } from './say.js';

const OLDEST = [20, 12];
const TOO_NEW = 23;

/** Throws unless this Node.js can run Millrace; the same range as `engines` in package.json. */
export function checkNodeVersion(version = process.versions.node) {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const newEnough = major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1]);
  if (newEnough && major < TOO_NEW) return;
  throw new SetupError(
    `Millrace needs Node.js ${OLDEST.join('.')} or newer, before ${TOO_NEW}; this is ${version}. Install Node.js 22 and try again.`,
  );
}
