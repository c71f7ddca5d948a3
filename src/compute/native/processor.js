// Plain JavaScript: the setup writes it down before anything that reads TypeScript is installed.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { arch, cpus, platform } from 'node:os';

/** What compiled code may rely on: the kind of processor, with what it can do where the system tells. */
export function processor() {
  const features = existsSync('/proc/cpuinfo')
    ? readFileSync('/proc/cpuinfo', 'utf8').match(/^(flags|Features)\s*:.*$/m)?.[0]
    : undefined;
  const digest = createHash('sha256').update(`${cpus()[0]?.model} ${features}`).digest('hex').slice(0, 16);
  return `${platform()} ${arch()} ${digest}`;
}
