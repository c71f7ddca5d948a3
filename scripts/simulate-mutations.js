// npm run simulate:mutations: puts deliberate mistakes into compiled copies of the code, one at a time, and looks whether simulation
// notices each.
//
//   npm run simulate:mutations -- --seeds 2000 --only ack-before-commit --json out.json
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { checkNodeVersion } from './setup/node-version.js';
import { ensurePackages } from './setup/packages.js';
import { main } from './setup/say.js';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const AT_ONCE = 2;

await main(async () => {
  checkNodeVersion();
  await ensurePackages(root);
  const { buildUnmutated } = await import('./simulate-mutations/build.js');
  const { tryMutation } = await import('./simulate-mutations/mutate.js');
  const { table } = await import('./simulate-mutations/table.js');
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string', default: '2000' },
      only: { type: 'string', multiple: true },
      json: { type: 'string' },
    },
  });
  const seeds = Number(values.seeds);
  if (!Number.isInteger(seeds) || seeds < 1) throw new Error(`--seeds is a whole number of at least 1, not ${values.seeds}`);
  // Below node_modules, where the packages that the copies import are found.
  const cache = join(root, 'node_modules', '.cache');
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, 'millrace-mutations-'));
  try {
    const unmutated = join(folder, 'unmutated');
    const { mutations, mutated } = await buildUnmutated(root, unmutated);
    const chosen = chosenOf(mutations, values.only);
    const job = join(root, 'test', 'flows', 'simulated', 'job.yaml');
    const results = [];
    const waiting = [...chosen];
    const lane = async () => {
      for (let next = waiting.shift(); next; next = waiting.shift()) {
        const result = await tryMutation(next, { root, folder, unmutated, mutated, seeds, job });
        results.push(result);
        const { name, seed, invariant, problem } = result;
        console.error(`${name}: ${problem ?? (seed === undefined ? 'not noticed' : `${invariant}, seed ${seed}`)}`);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, lane));
    results.sort((a, b) => (a.name < b.name ? -1 : 1));
    if (values.json) writeFileSync(values.json, `${JSON.stringify(results, null, 2)}\n`);
    console.log(table(results, seeds));
    return results.every(({ seed }) => seed !== undefined) ? 0 : 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

function chosenOf(mutations, names) {
  if (names === undefined) return mutations;
  return names.map((name) => {
    const found = mutations.find((mutation) => mutation.name === name);
    if (found) return found;
    throw new Error(`there is no mutation ${name}; there are ${mutations.map((mutation) => mutation.name).join(', ')}`);
  });
}
