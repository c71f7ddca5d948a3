// Fetches the language model of the examples: npm run setup:smollm2
// See docs/models.md.
import { main, say } from './setup/say.js';
import { checkNodeVersion } from './setup/node-version.js';
import { setupSmollm2 } from './setup/smollm2.js';

await main(async () => {
  checkNodeVersion();
  say(`SmolLM2-135M-Instruct is in ${await setupSmollm2()}`);
  return 0;
});
