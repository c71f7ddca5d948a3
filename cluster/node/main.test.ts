import { fork, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
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

  it('that is started by hand says which command starts one', () => {
    const { status, stderr } = spawnSync(process.execPath, [...nodeArguments, file], { encoding: 'utf8' });
    expect([status, stderr]).toEqual([2, expect.stringContaining('`millrace node run`')]);
  });
});
