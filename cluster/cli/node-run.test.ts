import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { main } from './main.ts';

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'millrace-node-run-'))));
afterEach(() => rmSync(folder, { recursive: true }));

async function run(args: string[], env: NodeJS.ProcessEnv = {}): Promise<{ code: number; stderr: string }> {
  let stderr = '';
  const { signal } = new AbortController();
  const code = await main(args, {
    ...{ stdout: { write: () => true }, stderr: { write: (text: string) => (stderr += text) } },
    ...{ env, cwd: folder, signal },
  });
  return { code, stderr };
}

const NATS = ['--set', 'nats.url=nats://127.0.0.1:1'];

describe('millrace node run', () => {
  it.each<[string, string[], RegExp]>([
    ['no roles', ['node', 'run', ...NATS], /required option '--roles/],
    [
      'a role that there is not',
      ['node', 'run', '--roles', 'planner', ...NATS],
      /--roles: got "planner", expected some of coordinator, /,
    ],
    ['no NATS servers', ['node', 'run', '--roles', 'rollout'], /nats\.url is missing/],
    ['a file that is not there', ['node', 'run', '--roles', 'rollout', '--config', 'no.yaml'], /no\.yaml/],
    ['a missing credential', ['node', 'run', '--roles', 'learner', ...NATS], /credentials\/work\.token is not there/],
    ['an unknown setting', ['node', 'run', '--roles', 'rollout', '--set', 'network.host=x'], /unknown key "network\.host"/],
    ['a drain without end', ['node', 'run', '--roles', 'rollout', ...NATS, '--drain-timeout', 'x'], /--drain-timeout: got "x"/],
    ['the name without a verb', ['node', '--roles', 'planner', ...NATS], /--roles: got "planner"/],
  ])('with %s ends with exit code 2 and says why', async (_, args, message) => {
    const { code, stderr } = await run(args);
    expect(stderr).toMatch(message);
    expect(code).toBe(2);
  });

  it('takes settings from the file, the environment and flags, in this order', async () => {
    writeFileSync(join(folder, 'cluster.yaml'), 'nats: { url: "nats://127.0.0.1:1" }\nnetwork: { bind: 10.1.1.1 }\n');
    const args = ['node', 'run', '--roles', 'rollout', '--config', 'cluster.yaml'];
    expect((await run(args)).stderr).toMatch(/network\.bind: 10\.1\.1\.1 is no loopback address/);
    const env = { MILLRACE_CLUSTER__NETWORK__BIND: '10.1.1.2' };
    expect((await run(args, env)).stderr).toMatch(/network\.bind: 10\.1\.1\.2/);
    expect((await run([...args, '--set', 'network.bind=10.1.1.3'], env)).stderr).toMatch(/network\.bind: 10\.1\.1\.3/);
  });
});
