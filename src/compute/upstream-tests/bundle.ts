import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, sep } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { build as compile, type Plugin } from 'esbuild';

const require = createRequire(import.meta.url);
const LIBRARY = '@tensorflow/tfjs-core';

/** The library's unbundled modules and, beside them, its tests. */
const folder = dirname(require.resolve(LIBRARY));

/** What a bundle of upstream modules exports: one property for each entry, named by its path. */
export type Modules = Record<string, Record<string, unknown>>;

/**
 * Compiles modules that tensorflow.js ships below `dist/`, which Node itself cannot load: ES modules without extensions in
 * a CommonJS package. They run against the library instance of this process: whatever the library exports is taken from
 * there, and only what it does not export (internal helpers, the tests themselves) is compiled.
 * @param paths relative to `dist/`, without extension
 */
export async function loadUpstream(paths: readonly string[]): Promise<() => Modules> {
  const entries = paths.map((path) => `get ${JSON.stringify(path)}() { return require(${JSON.stringify(`./${path}`)}); }`);
  const { outputFiles } = await compile({
    stdin: { contents: `module.exports = { ${entries.join(', ')} };`, resolveDir: folder, loader: 'js' },
    bundle: true,
    write: false,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    external: [LIBRARY],
    logLevel: 'silent',
    plugins: [sameInstance],
  });
  const code = outputFiles[0]!.text;
  return () => {
    const module = { exports: {} as Modules };
    // eslint-disable-next-line @typescript-eslint/no-implied-eval -- a module of an installed package, loaded like one
    const run = new Function('module', 'require', code) as (to: typeof module, from: typeof load) => void;
    const load = (name: string): unknown => (name === LIBRARY ? tf : require(name));
    run(module, load);
    return module.exports;
  };
}

const sameInstance: Plugin = {
  name: 'same-instance',
  setup(build) {
    // Upstream asks for jasmine only to set its timeout.
    build.onResolve({ filter: /^jasmine-core/ }, () => ({ path: 'jasmine', namespace: 'stub' }));
    build.onLoad({ filter: /.*/, namespace: 'stub' }, () => ({ contents: 'exports.core = () => ({})' }));
    build.onLoad({ filter: /\.js$/ }, ({ path }) => {
      if (!path.startsWith(folder + sep) || path.endsWith('_test.js')) return undefined;
      return isExported(path) ? { contents: `module.exports = require(${JSON.stringify(LIBRARY)})` } : undefined;
    });
  },
};

/** Whether the library exports all of a module under the same names. `fused_ops` has its own `matMul`. */
function isExported(path: string): boolean {
  if (path === join(folder, 'index.js') || path === join(folder, 'ops', 'ops.js')) return true;
  if (path.includes('fused')) return false;
  const source = readFileSync(path, 'utf8');
  if (/^export (\*|\{)/m.test(source)) return false;
  const names = [...source.matchAll(/^export (?:async )?(?:const|let|var|function\*?|class) (\w+)/gm)].map((match) => match[1]!);
  return names.length > 0 && names.every((name) => name in tf);
}
