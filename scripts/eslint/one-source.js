// An ESLint rule that keeps time, random numbers, ids and order behind ports, so that serial mode is the same in every run (ADR 0057).

/**
 * What may use the real sources, because it is one of the ports' real implementations or never runs in serial mode. Everything else is
 * given a Clock and a Random. A path is a folder or a file.
 */
export const REAL = [
  // The ports themselves.
  { path: 'src/clock', why: 'the Clock port' },
  { path: 'src/random', why: 'the Random port' },
  { path: 'src/files/node-files.ts', why: 'the Files port on the file system of the machine' },
  { path: 'src/bus/nats', why: 'the Bus port on NATS: waits for a server' },
  { path: 'src/bus/nats-bus.ts', why: 'the Bus port on NATS' },
  { path: 'src/identity', why: 'files of certificates, which expire in the time of the machine' },
  { path: 'src/rpc/client.ts', why: 'gRPC: deadlines are times of the machine' },
  { path: 'src/rpc/handlers.ts', why: 'gRPC: deadlines are times of the machine' },
  { path: 'src/rpc/interceptors.ts', why: 'gRPC: deadlines, durations of calls, trace ids' },
  { path: 'src/rpc/server.ts', why: 'gRPC: the bound of a stop, the rate of peers' },
  { path: 'src/rpc/work.ts', why: 'gRPC: the bound of a stream that ends' },
  { path: 'src/store/server.ts', why: 'the Store port on ClickHouse: pauses between tries' },
  { path: 'src/store/sessions.ts', why: 'the embedded engine: bounds of queries in a process of its own' },
  { path: 'src/store/http', why: 'the ClickHouse port of the embedded engine' },
  { path: 'src/store/export', why: 'files of exports and tokens of imports, which are made for people at a real store' },
  { path: 'src/client', why: 'runs in applications: retries and request ids' },
  { path: 'src/model/clients', why: 'language models behind HTTP: durations of calls' },
  { path: 'src/model/testing', why: 'a server of HTTP for tests, and models for people to try' },
  { path: 'src/workflow', why: 'runs in applications: flows and workflows without a cluster' },
  { path: 'src/serving', why: 'runs in applications: time limits of tools' },
  // What measures the machine, or is about the process.
  { path: 'src/compute/self-test.ts', why: 'measures the speed of the machine; serial mode reports none' },
  { path: 'src/telemetry/log-file.ts', why: 'lines of logs have the time of the machine' },
  // Code of users may call these outside of anything that has a clock; with one, they take its.
  { path: 'src/tasks/progress.ts', why: 'a task file, read by code that no flow loads' },
  { path: 'src/reward/custom', why: 'threads: real ones, whose time limits are real' },
  // Processes: serial mode starts none.
  { path: 'cluster/jobs/real-ports.ts', why: 'the ports of programs that have no node' },
  { path: 'cluster/node', why: 'a real node: makes its ports' },
  { path: 'cluster/infra', why: 'starts servers' },
  { path: 'cluster/up', why: 'supervises processes' },
  { path: 'cluster/gateway', why: 'serves HTTP' },
  { path: 'cluster/cli', why: 'talks to people' },
  { path: 'cluster/simulation/viewer/page', why: 'runs in a browser' },
];

const CLOCK = 'take a Clock (src/clock)';
const RANDOM = 'take a Random (src/random)';
const ID = 'draw ids with randomId (src/random) from the Random of the node';
const TIMER = 'take a Clock (src/clock) and use its sleep or every';
const TURN = 'use nextTurn (src/clock/turn.ts), which a virtual clock knows of';

/** Members of global objects and of modules: `Date.now`. */
const MEMBERS = {
  Date: { now: CLOCK },
  performance: { now: CLOCK, timeOrigin: CLOCK },
  Math: { random: RANDOM },
  process: { hrtime: CLOCK, uptime: CLOCK, nextTick: TURN },
  AbortSignal: { timeout: TIMER },
  crypto: { randomUUID: ID, randomBytes: ID, randomInt: RANDOM, getRandomValues: RANDOM, randomFillSync: RANDOM },
};
const FUNCTIONS = { setTimeout: TIMER, setInterval: TIMER, setImmediate: TURN };
/** What is imported by name: from these modules, or our own real ports. */
const IMPORTS = [
  { from: /^(node:)?crypto$/, names: MEMBERS.crypto },
  { from: /^(node:)?perf_hooks$/, names: { performance: CLOCK } },
  { from: /^(node:)?process$/, names: MEMBERS.process },
  { from: /\/clock\/system\.ts$/, names: { systemClock: 'take the Clock of the node' } },
  { from: /\/random\/seeded\.ts$/, names: { systemRandom: 'take the Random of the node' } },
];
const TIMERS = /^(node:)?timers(\/promises)?$/;
/** What a file system lists in no order. */
const LISTS = /^(readdir|readdirSync|opendir|opendirSync|glob|globSync)$/;
/** What of a list does not depend on its order. */
const ORDERED = /^(sort|toSorted|length|includes)$/;

const nameOf = ({ type, name, property, computed }) =>
  type === 'Identifier' ? name : type === 'MemberExpression' && !computed ? property.name : undefined;

/** Whether a list is sorted in the expression that makes it: `(await readdir(folder)).filter(…).sort()`. */
function isSorted(call) {
  for (let node = call; ;) {
    const { parent } = node;
    const passesOn =
      parent.type === 'AwaitExpression' ||
      (parent.type === 'MemberExpression' && parent.object === node) ||
      (parent.type === 'CallExpression' && (parent.callee === node || nameOf(parent.callee) === 'outside')) ||
      parent.type.startsWith('TS');
    if (!passesOn) return false;
    if (parent.type === 'MemberExpression' && ORDERED.test(nameOf(parent) ?? '')) return true;
    node = parent;
  }
}

/** The rule, as ESLint wants it. Which files it is for is said in eslint.config.js. */
export const oneSource = {
  meta: {
    type: 'problem',
    docs: { description: 'take time, random numbers, ids and order from ports' },
    schema: [],
    messages: {
      source: '{{what}} differs from run to run: {{instead}}',
      list: '{{what}} lists in no order: sort what it returns in the same expression',
    },
  },
  create(context) {
    const report = (node, what, instead) => context.report({ node, messageId: 'source', data: { what, instead } });
    return {
      MemberExpression(node) {
        const [object, member] = [nameOf(node.object), nameOf(node)];
        const instead = Object.hasOwn(MEMBERS, object ?? '') && MEMBERS[object][member];
        if (instead) report(node, `${object}.${member}`, instead);
      },
      'NewExpression[callee.name="Date"][arguments.length=0]': (node) => report(node, 'new Date()', CLOCK),
      'CallExpression[callee.name="Date"]': (node) => report(node, 'Date()', CLOCK),
      ImportDeclaration({ source: { value }, specifiers }) {
        const of = IMPORTS.find(({ from }) => from.test(value));
        for (const specifier of specifiers) {
          const name = specifier.imported?.name;
          if (TIMERS.test(value)) report(specifier, `${name ?? '*'} of ${value}`, TIMER);
          else if (of !== undefined && Object.hasOwn(of.names, name ?? '')) report(specifier, name, of.names[name]);
        }
      },
      CallExpression(node) {
        const name = nameOf(node.callee);
        if (LISTS.test(name ?? '') && !isSorted(node)) context.report({ node, messageId: 'list', data: { what: name } });
      },
      'Program:exit'(program) {
        const scope = context.sourceCode.getScope(program);
        const unbound = [
          ...scope.through,
          ...scope.variables.filter(({ defs }) => defs.length === 0).flatMap((v) => v.references),
        ];
        for (const { identifier } of unbound)
          if (Object.hasOwn(FUNCTIONS, identifier.name)) report(identifier, identifier.name, FUNCTIONS[identifier.name]);
      },
    };
  },
};
