/** The part of resolve-hook.mjs that compiles the user's TypeScript where nothing else does. Plain JavaScript, as that is. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

/** esbuild works in a process of its own; it is ended when nothing was compiled for this long. */
const IDLE_MS = 1000;

let esbuild;
let timer;

/** Whether a URL names TypeScript that becomes an ES module. */
export function isTypeScript(url) {
  return /\.m?tsx?$/.test(new URL(url).pathname);
}

/** What a load hook returns for such a URL. Enums and namespaces are compiled, types are not checked. */
export function compile(url) {
  const file = fileURLToPath(url);
  const text = readFileSync(file, 'utf8');
  esbuild ??= createRequire(import.meta.url)('esbuild');
  clearTimeout(timer);
  try {
    const { code } = esbuild.transformSync(text, {
      ...{ loader: file.endsWith('x') ? 'tsx' : 'ts', format: 'esm', platform: 'node', target: 'node20.12', logLevel: 'silent' },
      ...{ sourcefile: file, sourcemap: 'inline', sourcesContent: false },
    });
    return { format: 'module', source: code, shortCircuit: true };
  } catch (thrown) {
    const [problem] = thrown.errors ?? [];
    if (problem === undefined) throw thrown;
    const { location } = problem;
    throw new SyntaxError(`${problem.text} (${file}${location ? `:${location.line}:${location.column + 1}` : ''})`, {
      cause: thrown,
    });
  } finally {
    timer = setTimeout(() => void esbuild.stop(), IDLE_MS);
    timer.unref();
  }
}
