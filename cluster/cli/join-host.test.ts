import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { formatJoinToken } from '../join/token.ts';
import { EXIT } from './errors.ts';
import { main } from './main.ts';

const token = formatJoinToken({ authority: 'a'.repeat(43), secret: 's'.repeat(43) });
/** Nothing listens there. */
const NOWHERE = '127.0.0.1:1';

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'millrace-join-host-'))));
afterEach(() => rmSync(folder, { recursive: true }));

/** Exit code and what is said of an error. */
async function run(
  args: string[],
  { env = {}, input }: { env?: NodeJS.ProcessEnv; input?: string } = {},
): Promise<[number, string]> {
  let said = '';
  const stdin = input === undefined ? {} : { stdin: Readable.from([input]) };
  const stderr = { write: (text: string) => (said += text) };
  const signal = new AbortController().signal;
  const code = await main(args, { stdout: stderr, stderr, env, cwd: folder, signal, ...stdin });
  return [code, said];
}

describe('millrace join', () => {
  const unreachable = [EXIT.unavailable, expect.stringContaining(`Nothing answers at ${NOWHERE}`)];

  it('takes the token from standard input, a variable or a file, and says when nothing answers', async () => {
    const args = ['join', NOWHERE, '--advertise', 'd'];
    expect(await run([...args, '--token', '-'], { input: `${token}\n` })).toEqual(unreachable);
    expect(await run(args, { env: { MILLRACE_JOIN_TOKEN: token } })).toEqual(unreachable);
    writeFileSync(join(folder, 'token'), token);
    expect(await run([...args, '--token-file', 'token'])).toEqual(unreachable);
  });

  it('repeats no part of what is no token', async () => {
    const [code, said] = await run(['join', NOWHERE, '--advertise', 'd', '--token', '-'], { input: `${token}x` });
    expect([code, said]).toEqual([EXIT.usage, expect.stringContaining('standard input: holds no token for joining')]);
    expect(said).not.toContain('sss');
  });

  it('refuses a folder that holds something, and a name that no host has, before it connects', async () => {
    const env = { MILLRACE_JOIN_TOKEN: token };
    writeFileSync(join(folder, 'kept'), 'kept');
    expect((await run(['join', NOWHERE, '--advertise', 'd', '--out', '.'], { env }))[1]).toMatch(
      /is not empty; name a new folder/,
    );
    expect(await run(['join', NOWHERE, '--advertise', 'd:7500'], { env })).toEqual([
      EXIT.usage,
      expect.stringContaining('--advertise: got "d:7500"'),
    ]);
  });
});

it('no other command reads a token from standard input', async () => {
  expect(await run(['job', 'list', '--token', '-'], { input: token })).toEqual([EXIT.usage, expect.stringContaining('--token')]);
});
