// The rooms of src and cluster, in their order: a room imports from those before it, types included.

/** Floors of src, the lowest first; rooms of a floor in their order, too. */
const SRC = [
  {
    floor: 'small libraries',
    rooms: [
      'errors.ts',
      'installation.ts',
      'gen',
      'random',
      'clock',
      'files',
      'http',
      'telemetry',
      'budget',
      'actor',
      'identity',
      'access',
      'rpc',
      'bus',
      'artifacts',
      'tensor-files',
    ],
  },
  { floor: 'protocol', rooms: ['protocol', 'weights'] },
  { floor: 'learning', rooms: ['algo', 'compute', 'base-model', 'policy', 'model'] },
  { floor: 'settings and rows', rooms: ['config', 'records'] },
  { floor: 'work', rooms: ['explore', 'flow', 'tasks', 'reward', 'workflow'] },
  { floor: 'control', rooms: ['checkpoint', 'tune', 'jobs'] },
  { floor: 'record', rooms: ['store'] },
  { floor: 'what the package exports', rooms: ['math.ts', 'conformance', 'conformance.ts', 'client', 'serving', 'index.ts'] },
];

/** Roles of a node: none knows another, so their order among themselves means nothing. They meet in src/protocol. */
const ROLE_NAMES = ['coordinator', 'parameter-server', 'learner', 'rollout', 'reward', 'store', 'gateway'];

/** Floors of cluster, the lowest first. All of them are above src. */
const CLUSTER = [
  { floor: 'what a node is made of', rooms: ['infra', 'access', 'jobs', 'runtime', 'join', 'holds', 'flow-watch', 'admin'] },
  { floor: 'roles', rooms: ROLE_NAMES },
  { floor: 'processes', rooms: ['node', 'serial', 'simulation', 'up'] },
  { floor: 'command line', rooms: ['report', 'cli'] },
];

const inFolder = (folder, floors) => floors.flatMap(({ rooms }) => rooms.map((room) => `${folder}/${room}`));

/** Every room, e.g. `src/flow`, the lowest first. */
export const ROOMS = [...inFolder('src', SRC), ...inFolder('cluster', CLUSTER)];

/** Folders of the roles. */
export const ROLES = ROLE_NAMES.map((role) => `cluster/${role}`);

/** The room of a file, e.g. `src/flow`; undefined outside src and cluster. */
function roomOf(path) {
  const [folder, room] = path.split('/');
  return (folder === 'src' || folder === 'cluster') && room !== undefined ? `${folder}/${room}` : undefined;
}

/**
 * Says what is wrong with an import between rooms; undefined when nothing is.
 *
 * @param file - the importing file, relative to the root, with `/`
 * @param target - the imported file, in the same form
 */
export function roomProblem(file, target) {
  const [from, to] = [roomOf(file), roomOf(target)];
  if (from === undefined || to === undefined || from === to) return undefined;
  const unknown = [from, to].find((room) => !ROOMS.includes(room));
  if (unknown !== undefined) return `${unknown} is no room yet: give it its place in the order of scripts/eslint/rooms.js`;
  if (ROOMS.indexOf(to) < ROOMS.indexOf(from)) return undefined;
  return `${from} is below ${to} and must not import from it (the order is in scripts/eslint/rooms.js)`;
}
