/** Entry of a reward thread. Plain JavaScript: it is what loads TypeScript here, whatever runs the process. */
import { fileURLToPath } from 'node:url';
import { register } from 'tsx/esm/api';

register({ tsconfig: fileURLToPath(new URL('../../../tsconfig.json', import.meta.url)) });
await import('./thread-main.ts');
