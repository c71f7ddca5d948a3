/**
 * Module hooks for flows that lie outside this package. Plain JavaScript: older Node.js runs them on its loader thread, through
 * `initialize`, `resolve` and `load`; newer Node.js calls `resolveHere` and `loadHere` in the thread that imports.
 *
 * 1. `millrace` and `zod` resolve to this package's own when the flow's folder has none. Where the folder has this very package, what
 *    runs is meant, sources or build, not what its package.json exports.
 * 2. TypeScript files, and JavaScript files that import or export, are ES modules even where no package.json says
 *    "type": "module": a flow is written with `import`, wherever it lies.
 * 3. In a bundle, `millrace:NAME` is a module of this package, and compiled modules are run as they are (own-modules.mjs).
 * 4. Where nothing else compiles TypeScript (in a build), it is compiled here, and found by relative imports as tsx finds it.
 */
import { readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { compile, isTypeScript } from './compile-hook.mjs';
import { compiledModule, ownModule } from './own-modules.mjs';

/** HookData of add-hooks.d.mts. */
let ours;
/** Modules that rule 2 has made ES modules. */
const promoted = new Set();

export function initialize(data) {
  ours = data;
}

export async function resolve(specifier, context, next) {
  const own = ownModule(specifier, context, ours);
  if (own !== undefined) return next(...own);
  const relative = resolveRelative(specifier, context);
  if (relative !== undefined) return relative;
  if (!isOurs(specifier)) return asModule(await next(specifier, context));
  try {
    return asRunning(specifier, await next(specifier, context));
  } catch {
    return asModule(await next(...fromHere(specifier, context)));
  }
}

/** {@link resolve} for `module.registerHooks`, which is synchronous and asked for what is required, too. */
export function resolveHere(specifier, context, next) {
  const own = ownModule(specifier, context, ours);
  if (own !== undefined) return next(...own);
  if (!context.conditions.includes('import')) return next(specifier, context);
  const relative = resolveRelative(specifier, context);
  if (relative !== undefined) return relative;
  if (!isOurs(specifier)) return asModule(next(specifier, context));
  try {
    return asRunning(specifier, next(specifier, context));
  } catch {
    return asModule(next(...fromHere(specifier, context)));
  }
}

/** The part of {@link resolveHere} that is about bundles. */
export function resolveOwn(specifier, context, next) {
  const own = ownModule(specifier, context, ours);
  return own === undefined ? next(specifier, context) : next(...own);
}

export async function load(url, context, next) {
  return loadKnown(url) ?? next(url, context);
}

/** {@link load} for `module.registerHooks`. */
export function loadHere(url, context, next) {
  return loadKnown(url) ?? next(url, context);
}

/** Rules 3 and 4. */
function loadKnown(url) {
  return compiledModule(url) ?? (ours.compile && isForeign(url) && isTypeScript(url) ? compile(url) : undefined);
}

/**
 * Rule 2 for a relative import of a file that it has made a module: the next hook would still treat that file as CommonJS. And rule 4.
 */
function resolveRelative(specifier, { parentURL }) {
  if (!/^\.\.?\//.test(specifier)) return undefined;
  if (!promoted.has(parentURL) && !(ours.compile && isForeign(parentURL))) return undefined;
  const url = running(sibling(specifier, parentURL));
  return url !== undefined && isModule(url) ? promote({ url, shortCircuit: true }) : undefined;
}

/** For a source of this package, which a flow beside it may import, the module that runs. */
function running(url) {
  const path = url?.startsWith(ours.own) ? url.slice(ours.own.length) : '';
  return /^(src|cluster)\/.*\.ts$/.test(path) ? ours.code + path.replace(/\.ts$/, ours.ending) : url;
}

/** Whether it is a file of the user's: neither of a package nor of our build. */
function isForeign(url) {
  return url?.startsWith('file:') === true && !url.includes('/node_modules/') && !url.startsWith(`${ours.own}dist/`);
}

/** Rule 2 for what was resolved. */
function asModule(resolved) {
  if (resolved.format === 'module' || !resolved.url.startsWith('file:') || resolved.url.includes('/node_modules/'))
    return resolved;
  return isModule(resolved.url) ? promote(resolved) : resolved;
}

function promote(resolved) {
  promoted.add(resolved.url);
  return { ...resolved, format: 'module' };
}

function isOurs(specifier) {
  return /^(millrace|zod)(\/|$)/.test(specifier);
}

/** Rule 1 for what was resolved. */
function asRunning(specifier, resolved) {
  const url = resolved.url.startsWith(ours.own) ? ours.entries[specifier] : undefined;
  return url === undefined ? asModule(resolved) : { ...resolved, url, format: 'module' };
}

/** Rule 1: what to ask for instead. */
function fromHere(specifier, context) {
  const url = ours.entries[specifier];
  return url !== undefined ? [url, context] : [specifier, { ...context, parentURL: ours.entries.millrace }];
}

function isModule(url) {
  const { pathname } = new URL(url);
  if (isTypeScript(url)) return true;
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
