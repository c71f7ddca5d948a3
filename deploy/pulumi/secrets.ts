import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { ManifestsInput } from '../kubernetes/config.ts';

/** The parts that have secrets. */
const PARTS = ['nats', 'coordinator', 'parameter-server', 'learner', 'rollout', 'reward', 'gateway', 'store'] as const;

/** Content of the files of each part, in the folder that `millrace cluster init` made. Throws with the folder that is missing. */
export function readSecrets(folder: string): NonNullable<ManifestsInput['secrets']> {
  return Object.fromEntries(
    PARTS.map((part) => {
      const path = join(folder, part);
      if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true)
        throw new Error(`${path} is not there: millrace:credentials names the folder that millrace cluster init made.`);
      const files = readdirSync(path).sort();
      return [part, Object.fromEntries(files.map((name) => [name, readFileSync(join(path, name), 'utf8')]))];
    }),
  );
}
