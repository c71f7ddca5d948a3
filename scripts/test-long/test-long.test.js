import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, vi } from 'vitest';
import { argumentsOf } from './arguments.js';
import { chaos } from './chaos.js';
import { containers } from './containers.js';
import { hosts } from './hosts.js';
import { lint } from './lint.js';
import { models } from './models.js';
import { nodes } from './nodes.js';
import { page } from './page.js';
import { pulumi } from './pulumi.js';
import { python } from './python.js';
import { resultOf } from './result-of.js';
import { run } from './run.js';
import { simulate } from './simulate.js';
import { TIERS } from './tiers.js';

const known = Object.keys(TIERS);

describe('arguments', () => {
  it('are names, all of them in their order, and options', () => {
    const usual = { required: false, versions: ['22', '24', '26'], minutes: 5 };
    expect(argumentsOf(['chaos', 'nodes', 'chaos'], known)).toEqual({ ...usual, names: ['chaos', 'nodes'] });
    expect(argumentsOf(['page', 'all'], known)).toEqual({ ...usual, names: known });
    expect(argumentsOf(['nodes', '--node', '22', '--node', '24.1', '--require', '--minutes', '0.5'], known)).toEqual({
      names: ['nodes'],
      required: true,
      versions: ['22', '24.1'],
      minutes: 0.5,
    });
  });

  it.each([
    [[], /^name at least one tier\nusage: /],
    [['node'], /^there is no tier "node"/],
    [['nodes', '--node', 'lts'], /^--node: "lts"/],
    [['chaos', '--minutes', '0'], /^--minutes: "0"/],
    [['chaos', '--force'], /--force/],
  ])('are refused: %j', (args, message) => expect(() => argumentsOf(args, known)).toThrow(message));
});

describe('a run', () => {
  const tiers = {
    good: () => Promise.resolve({ passed: 'x' }),
    bad: () => Promise.resolve({ failed: 'y' }),
    broken: () => Promise.reject(new Error('z')),
    absent: () => Promise.resolve({ skipped: 'no w' }),
  };
  const outcome = async (names, required) => {
    const lines = [];
    const code = await run(tiers, { names, required }, { root: '/', print: (line) => lines.push(line) });
    return [code, ...lines];
  };

  it('ends with a line for each tier, and fails with one that failed', async () => {
    expect(await outcome(['bad', 'good', 'broken'], false)).toEqual([
      1,
      'bad: failed: y',
      'good: passed: x',
      'broken: failed: z',
    ]);
  });

  it('passes over what cannot run here, unless it is required', async () => {
    expect(await outcome(['good', 'absent'], false)).toEqual([0, 'good: passed: x', 'absent: skipped: no w']);
    expect(await outcome(['absent', 'good'], true)).toEqual([1, 'absent: failed, it is required: no w', 'good: passed: x']);
  });
});

describe('tiers', () => {
  it('nodes: not where npm has no Node.js', async () => {
    expect(await nodes({ versions: ['24'] }, '/', { system: 'aix-ppc64' })).toEqual({
      skipped: 'npm has no Node.js for aix-ppc64',
    });
  });

  it('models: not before SmolLM2 was fetched', async () => {
    const start = vi.fn(() => Promise.resolve(0));
    expect((await models({}, '/r', { start, file: '/none.gguf' })).skipped).toMatch(/npm run setup:smollm2 fetches it/);
    expect(await models({}, '/r', { start, file: process.execPath })).toEqual({ passed: 'SmolLM2' });
    expect(start.mock.calls.map(([, args]) => args.at(-1))).toEqual(['src/base-model/smollm2.test.ts']);
    start.mockResolvedValueOnce(1);
    expect(await models({}, '/r', { start, file: process.execPath })).toEqual({ failed: 'see above' });
  });

  it('chaos: kills processes and streams, and names what failed', async () => {
    expect(await chaos({ minutes: 1 }, '/', { find: () => undefined })).toEqual({ skipped: 'nats-server is not installed' });
    const start = vi.fn(() => Promise.resolve(0));
    const place = { find: () => '/nats-server', start };
    expect((await chaos({ minutes: 2 }, '/r', place)).passed).toContain('2 minutes');
    expect(start.mock.calls.map(([, args]) => args.at(-1))).toEqual(['test/kills.test.ts', 'test/gateway-chaos.test.ts', '2']);
    start.mockResolvedValueOnce(1);
    expect(await chaos({ minutes: 2 }, '/r', place)).toEqual({ failed: 'test/kills.test.ts' });
  });

  it('page: looks at pages with Chromium, which it names to the tests', async () => {
    expect((await page({}, '/', { find: () => undefined })).skipped).toMatch(/^Chromium is not installed/);
    const start = vi.fn(() => Promise.resolve(0));
    const place = { find: () => '/chromium', start };
    expect((await page({}, '/r', place)).passed).toBe('with /chromium');
    expect(start.mock.calls[0][2].env.MILLRACE_TEST_CHROMIUM).toBe('/chromium');
    start.mockResolvedValueOnce(1);
    expect(await page({}, '/r', place)).toEqual({ failed: 'with /chromium' });
  });

  it('hosts: needs openssl for the certificates', async () => {
    expect((await hosts({}, '/', { find: () => undefined })).skipped).toMatch(/^openssl is not installed/);
    const start = vi.fn(() => Promise.resolve(0));
    const place = { find: () => '/openssl', start };
    expect((await hosts({}, '/r', place)).passed).toBe('three NATS servers on this machine');
    start.mockResolvedValueOnce(1);
    expect((await hosts({}, '/r', place)).failed).toBe('three NATS servers on this machine');
  });

  it('containers: need podman and root', async () => {
    const find = (name) => (name === 'podman' || name === 'runc' ? undefined : `/${name}`);
    expect((await containers({}, '/', { find })).skipped).toBe('podman, runc not installed: apt-get install podman runc');
    const place = { find: (name) => `/${name}`, isRoot: true, start: vi.fn(() => Promise.resolve(0)) };
    expect(await containers({}, '/', { ...place, isRoot: false })).toEqual({ skipped: 'only root can run it' });
    expect((await containers({}, '/r', place)).passed).toContain('podman');
    expect(place.start.mock.calls[0].slice(0, 2)).toEqual(['bash', ['/r/deploy/test/compose.sh']]);
    place.start.mockResolvedValueOnce(1);
    expect(await containers({}, '/r', place)).toEqual({ failed: 'deploy/test/compose.sh' });
  });

  it('pulumi: installs, checks types and runs the tests', async () => {
    const offline = { result: () => Promise.resolve({ code: 1, problem: 'no network' }) };
    expect((await pulumi({}, '/', offline)).skipped).toMatch(/: no network$/);
    const place = { result: () => Promise.resolve({ code: 0 }), start: vi.fn(() => Promise.resolve(0)) };
    expect((await pulumi({}, '/r', place)).passed).toContain('mocks');
    expect(place.start.mock.calls.map(([, [command]]) => command)).toEqual(['ci', 'run', 'test']);
    place.start.mockResolvedValueOnce(0).mockResolvedValueOnce(1);
    expect((await pulumi({}, '/r', place)).failed).toMatch(/^npm run --silent types/);
  });

  it('lint: names the linters that complain, and says which cannot be had', async () => {
    expect((await lint({}, '/', { find: () => undefined })).skipped).toMatch(/^python3 and go are needed/);
    const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
    const start = vi.fn((program) => Promise.resolve(program.endsWith('shellcheck') ? 1 : 0));
    const place = { find: (name) => `/${name}`, start, result: () => Promise.resolve({ code: 0 }) };
    expect(await lint({}, root, place)).toEqual({ failed: 'shellcheck' });
    expect(start.mock.calls.map(([program]) => program.split('/').at(-1))).toEqual(['hadolint', 'shellcheck', 'actionlint']);
  });

  it('simulate: ten thousand seeds', async () => {
    const start = vi.fn(() => Promise.resolve(0));
    expect(await simulate({}, '/r', { start })).toEqual({ passed: '10000 seeds' });
    expect(start.mock.calls[0][1]).toEqual(['/r/scripts/simulate.js', '--seeds', '10000']);
    start.mockResolvedValueOnce(1);
    expect((await simulate({}, '/r', { start })).failed).toContain('see above');
  });

  it('say in one line why a command failed', async () => {
    const script = "console.error('\\nfirst\\nsecond'); process.exit(3)";
    expect(await resultOf(process.execPath, ['-e', script], { cwd: '/' })).toEqual({ code: 3, problem: 'first' });
    expect((await resultOf('/no/such/program', [], { cwd: '/' })).code).toBe(1);
    expect(await resultOf(process.execPath, ['-e', ''], { cwd: '/' })).toEqual({ code: 0, problem: undefined });
  });
});

describe('python', () => {
  const cluster = { address: 'a', token: 't', stop: vi.fn(() => Promise.resolve()) };
  const up = () => Promise.resolve(cluster);
  const tried = (results, start = () => Promise.resolve(0)) => {
    const left = [...results];
    return python({}, '/root', { find: () => '/nats-server', start, up, result: () => Promise.resolve(left.shift()) });
  };
  const done = { code: 0 };

  it('says in a line why it cannot run', async () => {
    expect(await python({}, '/root', { find: () => undefined })).toEqual({ skipped: 'nats-server is not installed' });
    const offline = await tried([{ code: 1 }, done, { code: 1, problem: 'no network' }]);
    expect(offline).toEqual({ skipped: 'grpcio-tools cannot be installed from PyPI: no network' });
  });

  it('runs the client against a cluster of its own, which it ends', async () => {
    expect(await tried([done])).toEqual({ passed: 'a client that grpcio-tools generated' });
    expect(await tried([done], () => Promise.resolve(1))).toEqual({ failed: 'scripts/test-long/client.py' });
    expect(cluster.stop).toHaveBeenCalledTimes(2);
  });
});
