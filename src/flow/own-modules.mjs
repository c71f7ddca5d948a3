/** The part of resolve-hook.mjs for bundles. Plain JavaScript, as that is. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Prefix of imports in a bundle that mean modules of the package that runs it. */
export const OWN_SCHEME = 'millrace:';

/**
 * What a bundle's import of one of this package's modules means: specifier and context to resolve instead; undefined for every other
 * import. `millrace:millrace` is the package itself, `millrace:./src/x` one of its files, `millrace:zod` a package that it depends on.
 * @param ours - HookData of add-hooks.d.mts
 */
export function ownModule(specifier, context, { entries, code, ending }) {
  if (!specifier.startsWith(OWN_SCHEME)) return undefined;
  const name = specifier.slice(OWN_SCHEME.length);
  const target =
    entries[name] ?? (name.startsWith('./') ? `${code}${name.slice(2)}${name.endsWith('.mjs') ? '' : ending}` : name);
  return [target, { ...context, parentURL: entries.millrace }];
}

/** A compiled module of a bundle as it lies there, with its source map, which other loaders would replace; undefined for every other module. */
export function compiledModule(url) {
  if (!/^file:.*\/code\/\.compiled\/[^/]+\.mjs$/.test(url)) return undefined;
  return { format: 'module', source: readFileSync(fileURLToPath(url), 'utf8'), shortCircuit: true };
}
