import { execFile, execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { storeConfinement } from './confine.ts';
import { storeRules } from './rules.ts';

const exec = promisify(execFile);
const program = fileURLToPath(new URL('build/confine', import.meta.url));
const script = fileURLToPath(new URL('testing-reach.ts', import.meta.url));
const version = existsSync(program) ? Number(execFileSync(program, ['--abi'], { encoding: 'utf8' })) : undefined;
if (version === undefined) process.stdout.write('confine.c is not built (npm run setup:native); its tests are skipped\n');
else if (version < 2)
  process.stdout.write(`this kernel's Landlock is of version ${version}; tests of the confinement are skipped\n`);

const folder = mkdtempSync(join(tmpdir(), 'millrace-confined-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A state folder with a credential in it, and what the script says that it can reach from there. */
async function reachOf(name: string, prefix: (stateDir: string) => Promise<readonly string[]>) {
  const stateDir = join(folder, name);
  const secret = join(folder, `${name}.secret`);
  mkdirSync(join(stateDir, 'exports'), { recursive: true });
  writeFileSync(join(stateDir, 'admin.json'), '{}');
  writeFileSync(secret, 'secret');
  const tsx = ['--import', fileURLToPath(import.meta.resolve('tsx'))];
  const [command, ...args] = [
    ...(await prefix(stateDir)),
    process.execPath,
    ...tsx,
    script,
    stateDir,
    secret,
    String(process.pid),
  ];
  const { stdout } = await exec(command!, args, { env: { ...process.env, NODE_OPTIONS: '' }, timeout: 60_000 });
  return JSON.parse(stdout.trim().split('\n').at(-1)!) as { rows: number; exported: number; reached: Record<string, string> };
}

describe.skipIf(version === undefined || version < 2)('the confined process of the store', () => {
  const confined = async (stateDir: string): Promise<readonly string[]> => {
    const confinement = await storeConfinement(stateDir);
    expect(confinement).toEqual({ prefix: expect.arrayContaining(['--write', join(stateDir, 'clickhouse')]) as string[] });
    return confinement.prefix!;
  };

  it('works as a store, and reaches no other file', async () => {
    const [inside, outside] = await Promise.all([reachOf('inside', confined), reachOf('outside', () => Promise.resolve([]))]);
    expect([inside.rows, inside.exported]).toEqual([5000, 1]);
    // Unconfined, everything is reached: what is denied is denied by the confinement.
    expect(new Set(Object.values(outside.reached))).toEqual(new Set(['reached']));
    const names = Object.keys(outside.reached);
    expect(names.length).toBeGreaterThan(10);
    expect(inside.reached).toEqual(Object.fromEntries(names.map((name) => [name, 'denied'])));
  }, 90_000);

  it('works in a folder whose name means something in patterns, and in one that is a link', async () => {
    mkdirSync(join(folder, 'there'));
    symlinkSync(join(folder, 'there'), join(folder, 'link [1]'));
    const { rows, reached } = await reachOf('link [1]', confined);
    expect(rows).toBe(5000);
    // The engine would take the name for a pattern, so that rows go through the folder for temporary files.
    expect(reached['writes']).toBe('reached');
    expect(reached['reads its environment']).toBe('denied');
  }, 90_000);
});

describe('storeConfinement', () => {
  it.runIf(process.platform === 'linux')('says what is in the place of a folder', async () => {
    const stateDir = join(folder, 'taken');
    mkdirSync(stateDir);
    writeFileSync(join(stateDir, 'clickhouse'), 'not a folder');
    // Any program that is there.
    const confinement = storeConfinement(stateDir, { program: process.execPath });
    await expect(confinement).rejects.toMatchObject({ code: 'failed_precondition', name: 'MillraceError' });
    await expect(confinement).rejects.toThrow(/taken\/clickhouse cannot be made .*EEXIST.*--state/);
  });

  const fake = (name: string, text: string): string => {
    const path = join(folder, name);
    writeFileSync(path, `#!/bin/sh\n${text}\n`);
    chmodSync(path, 0o755);
    return path;
  };

  it.skipIf(process.platform !== 'linux')('says why there is none', async () => {
    expect(await storeConfinement(join(folder, 'a'), { program: join(folder, 'missing') })).toEqual({
      prefix: undefined,
      reason: 'the program that does it is not built; "npm run setup:native" builds it',
    });
    const old = fake('old', 'echo "confine: this kernel has none" >&2; exit 125');
    expect(await storeConfinement(join(folder, 'b'), { program: old })).toEqual({
      prefix: undefined,
      reason: 'confine: this kernel has none',
    });
  });

  it.skipIf(process.platform !== 'linux')(
    'lets nobody reach the credentials, checkpoints and streams in the state folder',
    () => {
      for (const name of ['clickhouse', 'nats', 'checkpoints']) mkdirSync(join(folder, 'c', name), { recursive: true });
      writeFileSync(join(folder, 'c', 'admin.json'), '');
      const { read, write, run } = storeRules(join(folder, 'c'), {});
      const inState = [...read, ...write, ...run].filter((path) => path.startsWith(folder));
      expect(inState).toEqual([join(folder, 'c', 'clickhouse')]);
      // A folder allows all below it.
      expect([...read, ...write, ...run].filter((path) => join(folder, 'c', 'admin.json').startsWith(`${path}/`))).toEqual([]);
    },
  );
});
