// Writes deploy/kubernetes/generated: npx tsx deploy/kubernetes/generate.ts
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { generatedFiles } from './generated-files.ts';

const folder = fileURLToPath(new URL('generated', import.meta.url));
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder);
for (const [name, text] of Object.entries(generatedFiles())) writeFileSync(`${folder}/${name}`, text);
