/**
 * Entry of a reward thread where Millrace runs from its sources; a build starts thread-main directly. Plain JavaScript: it is what
 * loads TypeScript here, whatever runs the process.
 */
import { fileURLToPath } from 'node:url';
import { register } from 'tsx/esm/api';

register({ tsconfig: fileURLToPath(new URL('../../../tsconfig.json', import.meta.url)) });
await import('./thread-main.ts');
