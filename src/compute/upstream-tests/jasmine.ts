import { expect } from 'vitest';

type Body = () => unknown;

/** A test found in a jasmine suite. */
export interface CollectedTest {
  /** The names of the suites around it, then its own. */
  path: readonly string[];
  /** Runs the test between the hooks of its suites. Those of a whole suite run around each test: tests share nothing. */
  run: () => Promise<void>;
}

const HOOKS = ['beforeAll', 'beforeEach', 'afterEach', 'afterAll'] as const;

interface Suite {
  name: string;
  hooks: Record<(typeof HOOKS)[number], Body[]>;
}

/**
 * The tests that `load` defines through jasmine's globals. Of these `expect` stays, since it is used while tests run, and
 * `jasmine`, of which upstream sets a time limit.
 */
export function collectTests(load: () => void): CollectedTest[] {
  const tests: CollectedTest[] = [];
  const stack: Suite[] = [];
  const globals: Record<string, unknown> = {
    describe(name: string, body: () => void): void {
      stack.push({ name, hooks: { beforeAll: [], beforeEach: [], afterEach: [], afterAll: [] } });
      body();
      stack.pop();
    },
    it(name: string, body: Body): void {
      const suites = [...stack];
      tests.push({ path: [...suites.map((suite) => suite.name), name], run: () => runWithin(suites, body) });
    },
  };
  for (const hook of HOOKS) globals[hook] = (body: Body) => stack.at(-1)!.hooks[hook].push(body);
  const before = Object.keys(globals).map((name) => [name, Reflect.get(globalThis, name) as unknown] as const);
  Object.assign(globalThis, globals, { expect: jasmineExpect, jasmine: {} });
  try {
    load();
  } finally {
    for (const [name, value] of before) Reflect.set(globalThis, name, value);
  }
  return tests;
}

async function runWithin(suites: readonly Suite[], body: Body): Promise<void> {
  const inwards = (hook: 'beforeAll' | 'beforeEach'): Body[] => suites.flatMap(({ hooks }) => hooks[hook]);
  const outwards = (hook: 'afterEach' | 'afterAll'): Body[] => suites.toReversed().flatMap(({ hooks }) => hooks[hook]);
  for (const hook of [...inwards('beforeAll'), ...inwards('beforeEach')]) await hook();
  try {
    await body();
  } finally {
    for (const hook of [...outwards('afterEach'), ...outwards('afterAll')]) await hook();
  }
}

/** vitest's, with jasmine's way to say that a test may end without any expectation. */
function jasmineExpect(...actual: unknown[]): unknown {
  return actual.length === 0 ? { nothing: () => undefined } : expect(actual[0]);
}
