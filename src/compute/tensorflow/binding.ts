/** Whether the optional packages are there, without loading anything of them. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** The package that registers backend `tensorflow` for GPUs or for the processor. */
export function packageName(gpu: boolean): string {
  return gpu ? '@tensorflow/tfjs-node-gpu' : '@tensorflow/tfjs-node';
}

/** What is missing and the command that makes it, or undefined when the package and its compiled binding are there. */
export function missingBinding(gpu: boolean): string | undefined {
  const name = packageName(gpu);
  const setup = `npm run setup:tensorflow${gpu ? ' -- --gpu' : ''}`;
  let folder: string;
  try {
    folder = dirname(createRequire(import.meta.url).resolve(`${name}/package.json`));
  } catch {
    return `not installed (${setup})`;
  }
  // Versions of Node-API are compatible upwards; 8 is the highest that the package knows.
  const built = existsSync(join(folder, 'lib', 'napi-v8', 'tfjs_binding.node'));
  return built ? undefined : `the binding of ${name} is not built (${setup})`;
}
