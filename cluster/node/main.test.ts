import { fork, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { entryOf } from '../../src/installation.ts';
import type { FromNode } from '../runtime/ipc.ts';

let stateDir: string;
beforeEach(() => void (stateDir = mkdtempSync(join(tmpdir(), 'millrace-main-'))));
afterEach(() => rmSync(stateDir, { recursive: true }));

const { file, nodeArguments } = entryOf(new URL('./main.ts', import.meta.url));

/** What a process says and writes that is sent a message, until it ends. */
async function started(message: object): Promise<{ code: number | null; said: FromNode[]; stderr: string }> {
  const child = fork(file, [], { execArgv: nodeArguments, stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
  const said: FromNode[] = [];
  let stderr = '';
  child.on('message', (each: FromNode) => said.push(each));
  child.stderr!.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  child.send(message);
  const code = await new Promise<number | null>((resolve) => void child.once('close', resolve));
  return { code, said, stderr };
}

/** What a process writes that is started with settings in its environment. */
async function startedByHand(settings: string): Promise<{ code: number | null; stderr: string }> {
  const env = { ...process.env, MILLRACE_NODE: settings };
  const child = spawn(process.execPath, [...nodeArguments, file], { env, stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const code = await new Promise<number | null>((resolve) => void child.once('close', resolve));
  return { code, stderr };
}

describe('a node process', () => {
  it('that is sent bad settings says which, and ends', async () => {
    const roles = [{ role: 'rollout', backend: 'cuda', token: 'the token of the admin API' }];
    const { code, said, stderr } = await started({
      kind: 'start',
      settings: { id: 'rollout-1', natsUrl: 'nats://127.0.0.1:1', stateDir, roles },
    });
    expect([code, stderr]).toEqual([1, '']);
    expect(said).toMatchObject([{ kind: 'error', code: 'invalid_argument', field: 'settings.roles.0.backend' }]);
    const { message } = said[0] as FromNode & { kind: 'error' };
    expect(message).toMatch(/got "cuda", expected one of tensorflow-gpu, native, .*\n.*unknown key "settings\.roles\.0\.token"/);
    expect(message).not.toContain('the token of the admin API');
  });

  it('that is started by hand with bad settings writes which, and ends', async () => {
    const { code, stderr } = await startedByHand(
      JSON.stringify({ id: 'x', natsUrl: 'nats://127.0.0.1:1', stateDir, roles: [{ role: 'rollout' }], port: 7000 }),
    );
    expect(code).toBe(1);
    expect(stderr).toBe(
      'MILLRACE_NODE: unknown key "port". Keys there: id, natsUrl, natsAccess, nats, stateDir, artifacts, logLevel, grpcPort, metricsPort, roles.\n',
    );
  });

  it('that is started by hand with roles that are no list says what they should be', async () => {
    const { stderr } = await startedByHand(JSON.stringify({ id: 'x', natsUrl: 'nats://127.0.0.1:1', stateDir, roles: 'reward' }));
    expect(stderr).toBe('MILLRACE_NODE: roles: got "reward", expected a list\n');
  });

  it('that is started by hand has the credentials of its role from the state folder', async () => {
    const settings = { id: 'x', natsUrl: 'nats://127.0.0.1:1', stateDir, roles: [{ role: 'learner' }] };
    const { code, stderr } = await startedByHand(JSON.stringify(settings));
    expect(code).toBe(1);
    expect(stderr).toMatch(/^connecting to NATS at nats:\/\/127\.0\.0\.1:1.*\n$/);
    expect(readFileSync(join(stateDir, 'logs', 'x.log'), 'utf8')).toMatch(/connecting to NATS at nats:\/\/127\.0\.0\.1:1/);
  });
});
