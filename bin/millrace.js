#!/usr/bin/env node
// The command line. The sources are TypeScript; tsx loads them as they are.
import { fileURLToPath } from 'node:url';
import { register } from 'tsx/esm/api';

// Our own settings, whatever folder the command is run in.
register({ tsconfig: fileURLToPath(new URL('../tsconfig.json', import.meta.url)) });
const { run } = await import('../cluster/cli/main.ts');
await run();
