/** Bundles the workbench (web/): one script, one stylesheet and the page that names them, for the gateway to serve. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { build } from 'esbuild';

/**
 * Makes `out`/web: `index.html` and `assets/` with files that are named by what is in them. Throws what esbuild says of a module that does
 * not compile.
 */
export async function bundleWeb(root, out) {
  const folder = join(out, 'web');
  const { metafile } = await build({
    ...{ bundle: true, format: 'esm', target: 'es2022', minify: true, charset: 'utf8', legalComments: 'none' },
    ...{ jsx: 'automatic', jsxImportSource: 'preact' },
    ...{ absWorkingDir: root, outdir: join(folder, 'assets'), entryNames: '[name]-[hash]', assetNames: '[name]-[hash]' },
    ...{ entryPoints: ['web/main.tsx'], metafile: true, logLevel: 'silent' },
  });
  const names = Object.keys(metafile.outputs).map((path) => basename(path));
  const named = (ending) => `/assets/${names.find((name) => name.endsWith(ending))}`;
  const page = readFileSync(join(root, 'web', 'index.html'), 'utf8');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'index.html'), page.replace('main.css', named('.css')).replace('main.js', named('.js')));
}
