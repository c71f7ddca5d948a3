import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { silentLogger } from '../../src/telemetry/log.ts';
import type { NodeSettings } from '../runtime/settings/node.ts';
import { superviseNode } from './child.ts';

const stateDir = mkdtempSync(join(tmpdir(), 'millrace-child-'));
afterAll(() => rmSync(stateDir, { recursive: true }));

it('a node that refuses its settings is not started again', async () => {
  const roles = [{ role: 'rollout', backend: 'cuda' }];
  const settings = {
    id: 'rollout-1',
    natsUrl: 'nats://127.0.0.1:1',
    stateDir,
    logLevel: 'info',
    roles,
  } as unknown as NodeSettings;
  const troubles: string[] = [];
  const node = superviseNode({ settings, log: silentLogger(), onTrouble: (text) => troubles.push(text) });
  const why = /start message: settings\.roles\.0\.backend: got "cuda", expected one of tensorflow-gpu, native, /;
  await expect(node.ready).rejects.toThrow(why);
  expect(troubles).toEqual([expect.stringMatching(/^node rollout-1 did not start \(exit code 1\): .*; giving up$/)]);
  expect([node.restarts, node.pid]).toEqual([0, undefined]);
});

it('a node that Ctrl-C ends while it loads is no trouble to tell of', async () => {
  const settings = {
    id: 'reward-1',
    natsUrl: 'nats://127.0.0.1:1',
    stateDir,
    logLevel: 'info',
    roles: [{ role: 'reward' }],
  } as unknown as NodeSettings;
  const troubles: string[] = [];
  const node = superviseNode({ settings, log: silentLogger(), onTrouble: (text) => troubles.push(text) });
  node.ready.catch(() => undefined);
  process.kill(node.pid!, 'SIGINT');
  await expect.poll(() => node.restarts).toBe(1);
  await node.stop(200);
  expect(troubles).toEqual([]);
});
