// An ESLint rule that holds the layers: which folder may import which other (rooms.js) and which package.
import { isBuiltin } from 'node:module';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ROLES, roomProblem } from './rooms.js';

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Packages that do input and output or compute, and the only folders that import them. */
const OWNED = [
  { packages: /^@nats-io\//, folders: ['src/bus'] },
  { packages: /^(@grpc\/|grpc-health-check$)/, folders: ['src/rpc'] },
  { packages: /^(@clickhouse\/|chdb$|@chdb\/)/, folders: ['src/store'] },
  { packages: /^@tensorflow\//, folders: ['src/compute', 'src/base-model', 'src/policy'] },
];

/** Folders of pure logic. They see the world through ports, whose types they may import from anywhere in src. */
const PURE = ['src/algo', 'src/actor', 'src/budget', 'src/jobs'];
/** Folders that pure logic may import values from. */
const PURE_MAY_USE = [...PURE, 'src/errors.ts', 'src/config', 'src/clock', 'src/random', 'src/gen', 'src/flow'];

/** Folders beside src: src is a library and knows nothing of what is built on it. */
const ABOVE_SRC = ['cluster', 'web', 'bench', 'test', 'examples', 'deploy'];

/** What the page is made of. It runs in a browser and knows the cluster by what the gateway answers alone. */
const WEB_PACKAGES = /^(preact(\/hooks)?|@preact\/signals|uplot(\/dist\/uPlot\.min\.css)?)$/;

/** Agents of others, which know nothing of Millrace, by example. */
const AGENT_PACKAGES = [{ folder: 'examples/gateway', packages: ['openai'] }];

const TEST_PACKAGES = ['vitest', 'fast-check'];

const isIn = (path, folder) => path === folder || path.startsWith(`${folder}/`);
const isInAny = (path, folders) => folders.some((folder) => isIn(path, folder));

/**
 * Says what is wrong with an import; undefined when nothing is.
 *
 * @param file - the importing file, relative to the root, with `/`
 * @param source - what stands between the quotes
 * @param typeOnly - whether only types are imported
 */
export function problemOf(file, source, typeOnly) {
  const isTest = /\.(test|bench|accept)\.[jt]s$/.test(file);
  if (source.startsWith('.')) return pathProblem(file, join(dirname(file), source).split(sep).join('/'), typeOnly, isTest);
  return packageProblem(file, source, isTest);
}

function pathProblem(file, target, typeOnly, isTest) {
  if (isIn(file, 'src') && isInAny(target, ABOVE_SRC)) return `src/ is the library: it does not import ${target.split('/')[0]}/`;
  if (file.startsWith('examples/') && !isTest) {
    const own = file.split('/').slice(0, 2).join('/');
    if (!isIn(target, own)) return "an example imports 'millrace', node: modules and its own files only";
  }
  if (file.startsWith('web/') && !isTest && !isIn(target, 'web'))
    return 'web/ is the page: it imports its own files, and asks the gateway for the rest';
  if (target.startsWith('web/') && !file.startsWith('web/') && !isTest)
    return 'web/ is bundled for browsers (scripts/bundle/web.js)';
  if (isTest) return undefined;
  const role = ROLES.find((folder) => isIn(file, folder));
  const other = role && ROLES.find((folder) => folder !== role && isIn(target, folder));
  if (other) return `${role}/ is a role: what it shares with ${other}/ belongs in src/protocol or cluster/runtime`;
  const upwards = roomProblem(file, target);
  if (upwards !== undefined) return upwards;
  const pure = PURE.find((folder) => isIn(file, folder));
  if (pure !== undefined && !typeOnly && isIn(target, 'src') && !isInAny(target, PURE_MAY_USE)) {
    return `${pure}/ is pure logic: it may import types of ${target}, not values`;
  }
  return undefined;
}

function packageProblem(file, source, isTest) {
  const owner = OWNED.find(({ packages }) => packages.test(source));
  if (owner !== undefined && !isInAny(file, owner.folders)) return `only ${owner.folders.join(' and ')} import ${source}`;
  if (file.startsWith('web/') && !isTest && !WEB_PACKAGES.test(source))
    return `web/ is the page: of packages it imports preact, @preact/signals and uplot, not ${source}`;
  const pure = PURE.find((folder) => isIn(file, folder));
  if (pure !== undefined && !isTest && isBuiltin(source))
    return `${pure}/ is pure logic: it does no input or output, so it does not import ${source}`;
  if (
    file.startsWith('examples/') &&
    source !== 'millrace' &&
    !isBuiltin(source) &&
    !AGENT_PACKAGES.some(({ folder, packages }) => isIn(file, folder) && packages.includes(source)) &&
    !(isTest && TEST_PACKAGES.includes(source))
  ) {
    return "an example imports 'millrace', node: modules and its own files only";
  }
  return undefined;
}

/** The rule, as ESLint wants it. */
export const layers = {
  meta: {
    type: 'problem',
    docs: { description: 'hold the layers of docs/architecture.md' },
    schema: [],
    messages: { layer: '{{problem}}' },
  },
  create(context) {
    const file = relative(ROOT, context.filename).split(sep).join('/');
    const check = (node, source, typeOnly) => {
      if (typeof source?.value !== 'string') return;
      const problem = problemOf(file, source.value, typeOnly);
      if (problem !== undefined) context.report({ node: source, messageId: 'layer', data: { problem } });
    };
    const onlyTypes = (node, kind) =>
      node[kind] === 'type' || (node.specifiers?.length > 0 && node.specifiers.every((specifier) => specifier[kind] === 'type'));
    return {
      ImportDeclaration: (node) => check(node, node.source, onlyTypes(node, 'importKind')),
      ExportNamedDeclaration: (node) => check(node, node.source, onlyTypes(node, 'exportKind')),
      ExportAllDeclaration: (node) => check(node, node.source, node.exportKind === 'type'),
      ImportExpression: (node) => check(node, node.source, false),
      TSImportType: (node) => check(node, node.source ?? node.argument?.literal, true),
      'CallExpression[callee.name="require"]': (node) => check(node, node.arguments[0], false),
    };
  },
};
