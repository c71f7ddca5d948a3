// npm run test:long: tests that take long, or need what few machines have.
//
//   npm run test:long -- nodes --node 24
//   npm run test:long -- all --require
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { main } from './setup/say.js';
import { argumentsOf } from './test-long/arguments.js';
import { run } from './test-long/run.js';
import { TIERS } from './test-long/tiers.js';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

await main(() => run(TIERS, argumentsOf(process.argv.slice(2), Object.keys(TIERS)), { root, print: console.log }));
