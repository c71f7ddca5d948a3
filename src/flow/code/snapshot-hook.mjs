/** The part of resolve-hook.mjs that runs modules from a code snapshot (snapshot.ts). Plain JavaScript, as that is. */
import { readFileSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** SNAPSHOT_PARAMETER of snapshot.ts. */
const PARAMETER = 'millrace-code';
/** Modules of snapshots that were asked for, by the snapshot's file. */
const snapshots = new Map();

/** What a URL names: the modules of its snapshot, the path of the module, and the URL without the snapshot. */
function parse(url) {
  if (!url?.startsWith('file:') || !url.includes(`${PARAMETER}=`)) return undefined;
  const parsed = new URL(url);
  const file = parsed.searchParams.get(PARAMETER);
  if (file === null) return undefined;
  if (!snapshots.has(file)) snapshots.set(file, JSON.parse(readFileSync(file, 'utf8')).modules);
  const { search } = parsed;
  parsed.search = '';
  return { modules: snapshots.get(file), query: search, path: fileURLToPath(parsed), plain: parsed.href };
}

/** The module that an import means, when it is in a snapshot: an entry by its URL, or what such a module imports by path. */
export function resolveInSnapshot(specifier, { parentURL, importAttributes }) {
  const entry = parse(specifier);
  if (entry?.modules[entry.path]) return resolved(entry, entry.path, importAttributes);
  const parent = parse(parentURL);
  const target = parent?.modules[parent.path]?.imports[specifier];
  return target !== undefined && parent.modules[target] ? resolved(parent, target, importAttributes) : undefined;
}

function resolved({ modules, query }, path, importAttributes) {
  return { url: pathToFileURL(path).href + query, format: modules[path].format, importAttributes, shortCircuit: true };
}

/** The context in which everything else that such a module imports is looked for: where it lies. */
export function withoutSnapshot(context) {
  const parent = parse(context.parentURL);
  return parent === undefined ? context : { ...context, parentURL: parent.plain };
}

/** A module of a snapshot, ready to run; undefined for every other URL. */
export function loadFromSnapshot(url) {
  const code = parse(url);
  const found = code?.modules[code.path];
  return found && { format: found.format, source: found.source, shortCircuit: true };
}
