import { realpath } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import type { ArtifactStore } from '../../artifacts/artifacts.ts';
import { MillraceError } from '../../errors.ts';
import { nodeFiles } from '../../files/node-files.ts';
import { BUNDLE_FORMAT, CODE, DATA, type BundleManifest } from './bundle.ts';
import { assetsOf, commonFolder, compile, inFolder, sourcesOf } from './compile.ts';
import { checkPackages } from './packages.ts';
import { filesAt } from './tree.ts';

/** What a bundle is made of. All paths are absolute. */
export interface BundleSources {
  /** Module that exports the flow. */
  flow: string;
  /** Modules of custom rewards. */
  rewards?: readonly string[];
  /** File or folder of the job's data. */
  data?: string | undefined;
  /** Files and folders that the code reads. */
  files?: readonly string[];
}

/** A file to be put into a bundle: its content, or where that lies. */
interface Part {
  at: string;
  content: { text: string } | { path: string };
  executable: boolean;
}

/**
 * Compiles a flow with all it imports, and puts it with the files that it reads and its data into the store. None of its code is run.
 * @param onFiles - called with the paths of all files that it is made of
 * @returns the bundle's digest: the same for the same content, wherever it lies
 * @throws MillraceError not_found when a module or a declared file does not exist, invalid_argument with the place when a module cannot be compiled,
 *   or with the package's name when it cannot be bundled
 */
export async function makeBundle(
  sources: BundleSources,
  store: ArtifactStore,
  onFiles: (paths: readonly string[]) => void = () => undefined,
): Promise<string> {
  const entries = await Promise.all([sources.flow, ...(sources.rewards ?? [])].map((path) => realPath(path, 'flow')));
  const modules = await sourcesOf(entries);
  await checkPackages(modules.map(({ path }) => path));
  const read = await readFiles(sources.files ?? [], modules.flatMap(assetsOf));
  const root = commonFolder([...entries, ...modules.map(({ path }) => path), ...read.map(({ path }) => path)]);
  const compiled = await compile(entries, modules, root);
  const parts: Part[] = [
    ...[...compiled.files].map(([at, text]): Part => ({ at: `${CODE}/${at}`, content: { text }, executable: false })),
    ...read.map(({ path, executable }) => ({ at: `${CODE}/${inFolder(root, path)}`, content: { path }, executable })),
  ];
  const data = sources.data === undefined ? undefined : await dataParts(sources.data);
  const paths = [...read, ...(data?.parts ?? []).flatMap(({ content }) => ('path' in content ? [content] : []))].map(
    ({ path }) => path,
  );
  onFiles([...modules.map(({ path }) => path), ...paths]);
  const [flow, ...rewards] = compiled.entries.map((path) => `${CODE}/${path}`);
  const manifest: BundleManifest = {
    ...{ format: BUNDLE_FORMAT, flow: flow!, rewards, source: `${CODE}/${inFolder(root, entries[0]!)}` },
    ...(data && { data: data.at }),
    ...(await putParts([...parts, ...(data?.parts ?? [])], store)),
  };
  return (await store.put(Buffer.from(JSON.stringify(manifest)))).digest;
}

async function putParts(parts: readonly Part[], store: ArtifactStore): Promise<Pick<BundleManifest, 'files' | 'executable'>> {
  const sorted = [...new Map(parts.map((part) => [part.at, part])).values()].sort((a, b) => (a.at < b.at ? -1 : 1));
  const files: Record<string, string> = {};
  for (const { at, content } of sorted) {
    const { digest } = await store.put('text' in content ? Buffer.from(content.text) : nodeFiles.pieces(content.path));
    files[at] = digest;
  }
  return { files, executable: sorted.filter(({ executable }) => executable).map(({ at }) => at) };
}

/** Declared files, which must be there, and those that modules name next to themselves, which may be made at run time. */
async function readFiles(declared: readonly string[], assets: readonly string[]) {
  const found = await Promise.all([
    ...declared.map(async (path) => (await filesAt(await realPath(path, 'files'))) ?? []),
    ...assets.map(async (path) => (await filesAt(path)) ?? []),
  ]);
  return found.flat();
}

/** The job's data under its own name; undefined where there is none: the flow says so best. */
async function dataParts(path: string): Promise<{ at: string; parts: Part[] } | undefined> {
  const files = await filesAt(path);
  if (files === undefined) return undefined;
  const at = `${DATA}/${basename(path)}`;
  const parts = files.map((file): Part => ({
    at: `${DATA}/${inFolder(dirname(path), file.path)}`,
    ...{ content: { path: file.path }, executable: file.executable },
  }));
  return { at, parts };
}

async function realPath(path: string, field: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (cause) {
    const what = field === 'flow' ? 'module' : 'file or folder';
    throw new MillraceError('not_found', `${field}: there is no ${what} ${path}`, { cause, field });
  }
}
