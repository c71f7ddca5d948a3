import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { MillraceError } from '../errors.ts';
import { CODE_FOLDER, FROM_SOURCES, PACKAGE_FOLDER } from '../installation.ts';
import { addHooks } from './add-hooks.mjs';
import { kindsOf, type PolicyKinds } from '../policy/registry.ts';
import type { FlowDefinition } from './define.ts';
import { describe } from './failure.ts';
import { validateFlow } from './validate.ts';

/**
 * Imports a flow's module, anywhere on disk, and checks it. TypeScript is compiled by tsx or, in a build, by our own hook. In the
 * module and all it imports, `millrace` and `zod` are this package's unless its folder has its own.
 *
 * Throws `not_found` when there is no such file, `invalid_argument` with the field when it holds no flow. A file is never imported
 * twice: one that has changed takes a new process, or a bundle of it.
 *
 * @param bundled - module of an unpacked bundle that is run instead; errors name `modulePath` all the same
 */
export async function loadFlow(modulePath: string, bundled?: string): Promise<FlowDefinition<unknown, unknown>> {
  return (await loadFlowModule(modulePath, bundled)).flow;
}

/** What a flow's module brings. */
export interface FlowModule {
  flow: FlowDefinition<unknown, unknown>;
  /** The built-in policy kinds and those that the module exports as `policyKinds`. */
  kinds: PolicyKinds;
}

/** Like {@link loadFlow}, with the policy kinds of the module; `invalid_argument` (field `policyKinds`) when they are not what they should be. */
export async function loadFlowModule(modulePath: string, bundled?: string): Promise<FlowModule> {
  const example = 'export default defineFlow({ … })';
  const exported = await importModule(modulePath, { what: 'flow module', field: 'flow', example }, bundled);
  const origin = resolve(modulePath);
  return { flow: validateFlow(exported.default, origin), kinds: kindsOf(exported['policyKinds'], origin) };
}

/**
 * The default export of a module of the user's, imported as {@link loadFlow} does.
 * @param naming - what it is called in errors: `what` kind of module, in which `field`, and what to write in it.
 */
export async function importDefault(modulePath: string, naming: Naming, bundled?: string): Promise<unknown> {
  return (await importModule(modulePath, naming, bundled)).default;
}

interface Naming {
  what: string;
  field: string;
  example: string;
}

type Exports = Readonly<Record<string, unknown>> & { default?: unknown };

async function importModule(modulePath: string, { what, field, example }: Naming, bundled?: string): Promise<Exports> {
  const file = resolve(modulePath);
  const found = await stat(bundled ?? file).catch(() => undefined);
  if (!found?.isFile())
    throw new MillraceError('not_found', `${file}: there is no such ${what}; give the path of a .ts, .mts, .js or .mjs file`, {
      field,
    });
  hookOnce();
  let imported: Exports;
  try {
    imported = (await import(/* @vite-ignore */ pathToFileURL(bundled ?? file).href)) as Exports;
  } catch (thrown) {
    throw new MillraceError('invalid_argument', `${file} cannot be imported: ${describe(thrown)}`, { cause: thrown, field });
  }
  if (imported.default === undefined)
    throw new MillraceError('invalid_argument', `${file} has no default export; write \`${example}\``, { field });
  return imported;
}

let hooked = false;

function hookOnce(): void {
  if (hooked) return;
  hooked = true;
  // So that errors name lines of what the user wrote; tsx sees to that itself.
  if (!FROM_SOURCES) process.setSourceMapsEnabled(true);
  addHooks({
    entries: {
      millrace: new URL('../index.ts', import.meta.url).href,
      'millrace/math': new URL('../math.ts', import.meta.url).href,
      ...sharedPackages(),
    },
    own: pathToFileURL(join(PACKAGE_FOLDER, '/')).href,
    code: pathToFileURL(join(CODE_FOLDER, '/')).href,
    ending: FROM_SOURCES ? '.ts' : '.js',
    compile: !FROM_SOURCES,
  });
}

/** Packages that are in one file with our modules: what a flow imports must be the same instance. */
function sharedPackages(): Record<string, string> {
  const zod = join(CODE_FOLDER, 'shared', 'zod.js');
  return existsSync(zod) ? { zod: pathToFileURL(zod).href } : {};
}
