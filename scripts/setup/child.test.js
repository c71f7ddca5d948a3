import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

let folder;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-child-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Starts a process that runs `program` in the foreground; resolves when the program has said that it is ready. */
async function start(program) {
  const inner = join(folder, 'inner.mjs');
  const outer = join(folder, 'outer.mjs');
  writeFileSync(inner, program);
  const module = new URL('./child.js', import.meta.url).href;
  writeFileSync(
    outer,
    `import { runInForeground } from ${JSON.stringify(module)};
     process.exitCode = await runInForeground(process.execPath, [${JSON.stringify(inner)}, 'an argument'], { cwd: ${JSON.stringify(folder)}, env: process.env });`,
  );
  const child = spawn(process.execPath, [outer], { stdio: ['ignore', 'pipe', 'inherit'] });
  let printed = '';
  const ready = new Promise((resolve) => {
    child.stdout.setEncoding('utf8').on('data', (text) => {
      printed += text;
      if (printed.includes('ready')) resolve();
    });
  });
  const exit = once(child, 'close').then(([code, signal]) => ({ code, signal, printed }));
  await Promise.race([ready, exit]);
  return { child, exit };
}

/** Counts the signals it gets; ends by itself with 7, in good order, some time after the first one. */
const COUNTS = `
  import { writeFileSync } from 'node:fs';
  const got = [];
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      got.push(signal);
      if (got.length === 1) setTimeout(() => { writeFileSync('got', got.join(' ')); process.exit(7); }, 300);
    });
  }
  setInterval(() => undefined, 1000);
  console.log('ready');`;

describe('runInForeground', () => {
  it('passes arguments, output and the exit code on', async () => {
    const { exit } = await start("console.log('ready', process.argv[2]); process.exitCode = 3;");
    expect(await exit).toEqual({ code: 3, signal: null, printed: 'ready an argument\n' });
  });

  it.each([
    ['SIGINT', 'SIGINT'],
    ['SIGTERM', 'SIGTERM'],
    ['SIGHUP', 'SIGTERM'],
  ])('forwards %s exactly once, as %s, and waits for an orderly end', async (sent, received) => {
    const { child, exit } = await start(COUNTS);
    // npm forwards the signal that a terminal has sent us already.
    child.kill(sent);
    child.kill(sent);
    setTimeout(() => child.kill(sent), 50);
    expect(await exit).toMatchObject({ code: 7, signal: null });
    expect(readFileSync(join(folder, 'got'), 'utf8')).toBe(received);
  });

  it('ends by the signal that ended the command', async () => {
    const { child, exit } = await start("setInterval(() => undefined, 1000); console.log('ready');");
    child.kill('SIGTERM');
    expect(await exit).toMatchObject({ code: null, signal: 'SIGTERM' });
  });
});
