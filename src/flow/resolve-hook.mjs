/**
 * Module hooks for flows that lie outside this package; runs on Node's loader thread, hence plain JavaScript.
 *
 * 1. `millrace` and `zod` resolve to this package's own when the flow's folder has none.
 * 2. TypeScript files, and JavaScript files that import or export, are ES modules even where no package.json says
 *    "type": "module": a flow is written with `import`, wherever it lies.
 */
import { readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** URL of src/index.ts, which `millrace` stands for. */
let millrace;
/** Modules that rule 2 has made ES modules. */
const promoted = new Set();

export function initialize(data) {
  millrace = data.millrace;
}

export async function resolve(specifier, context, next) {
  if (promoted.has(context.parentURL) && /^\.\.?\//.test(specifier)) {
    // The next hook would still treat the importing file as CommonJS.
    const url = sibling(specifier, context.parentURL);
    if (url !== undefined && isModule(url)) return promote({ url, shortCircuit: true });
  }
  const resolved = await resolveBare(specifier, context, next);
  if (resolved.format !== 'module' && resolved.url.startsWith('file:') && !resolved.url.includes('/node_modules/'))
    if (isModule(resolved.url)) return promote(resolved);
  return resolved;
}

function promote(resolved) {
  promoted.add(resolved.url);
  return { ...resolved, format: 'module' };
}

async function resolveBare(specifier, context, next) {
  const ours = specifier === 'millrace' || specifier === 'zod' || specifier.startsWith('zod/');
  if (!ours) return next(specifier, context);
  try {
    return await next(specifier, context);
  } catch {
    return specifier === 'millrace' ? next(millrace, context) : next(specifier, { ...context, parentURL: millrace });
  }
}

function isModule(url) {
  const { pathname } = new URL(url);
  if (/\.m?tsx?$/.test(pathname)) return true;
  if (!pathname.endsWith('.js')) return false;
  try {
    return /^\s*(?:import\b[^(]|export\b)/m.test(readFileSync(fileURLToPath(url), 'utf8'));
  } catch {
    return false;
  }
}

function sibling(specifier, parentURL) {
  const exact = new URL(specifier, parentURL);
  for (const path of [
    exact.pathname,
    exact.pathname.replace(/\.js$/, '.ts'),
    `${exact.pathname}.ts`,
    `${exact.pathname}/index.ts`,
  ]) {
    const url = new URL(path, exact);
    if (statSync(fileURLToPath(url), { throwIfNoEntry: false })?.isFile()) return url.href;
  }
  return undefined;
}
