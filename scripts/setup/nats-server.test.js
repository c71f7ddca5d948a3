import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

let root;
let bin;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'millrace-nats-'));
  bin = join(root, 'bin');
  mkdirSync(bin);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function program(name, script) {
  writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`);
  chmodSync(join(bin, name), 0o755);
}

/** Runs the setup with only the fake programs, as the user given; /usr/sbin and /usr/local/bin seem empty. */
function setUp({ uid, required = true, env = {} }) {
  const module = new URL('./nats-server.js', import.meta.url).href;
  const code = `
    process.getuid = () => ${uid};
    const { ensureNatsServer } = await import(${JSON.stringify(module)});
    const { main } = await import(${JSON.stringify(new URL('./say.js', import.meta.url).href)});
    await main(async () => { await ensureNatsServer(${JSON.stringify(root)}, { required: ${required}, folders: [] }); return 0; });`;
  const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', code], {
    env: { PATH: `${bin}:/bin`, LOG: join(root, 'log'), ...env },
    encoding: 'utf8',
  });
  const log = existsSync(join(root, 'log')) ? readFileSync(join(root, 'log'), 'utf8').trim().split('\n') : [];
  return { status, stderr, log };
}

const APT = 'echo "$DEBIAN_FRONTEND $@" >> "$LOG"';
const INSTALL = 'cp "$0" "${0%apt-get}nats-server"';

describe('ensureNatsServer', () => {
  it('does nothing when it is there, or named', () => {
    program('apt-get', APT);
    expect(setUp({ uid: 0, env: { NATS_SERVER: '/opt/nats-server' } })).toEqual({ status: 0, stderr: '', log: [] });
    program('nats-server', '');
    expect(setUp({ uid: 0 })).toEqual({ status: 0, stderr: '', log: [] });
  });

  it('installs it as root without a question', () => {
    program('apt-get', `${APT}\n${INSTALL}`);
    const first = setUp({ uid: 0 });
    expect(first).toMatchObject({
      status: 0,
      stderr: expect.stringMatching(/^Installing nats-server \(once\) \.\.\.\nInstalled nats-server in \d+ s\.\n$/),
    });
    expect(first.log).toEqual([expect.stringMatching(/^noninteractive .* install -y --no-install-recommends nats-server$/)]);
  });

  it('refreshes the package lists of a fresh machine', () => {
    const lists = join(root, 'lists');
    const refuse = 'echo "E: Unable to locate package nats-server"; exit 100';
    program(
      'apt-get',
      `${APT}\ncase "$*" in *update) touch ${lists}; exit 0;; esac\n[ -e ${lists} ] || { ${refuse}; }\n${INSTALL}`,
    );
    const { status, log } = setUp({ uid: 0 });
    expect(status).toBe(0);
    expect(log.map((line) => / (update|install) ?/.exec(line)?.[1])).toEqual(['install', 'update', 'install']);
  });

  it('says in the end what went wrong and what to run', () => {
    program('apt-get', `${APT}\necho "E: no network"; exit 100`);
    const { status, stderr } = setUp({ uid: 0 });
    expect(status).toBe(1);
    expect(stderr).toMatch(/E: no network[^]*Installing nats-server failed[^]*apt-get install -y nats-server/);
  });

  it('prints the command to run where it may not install', () => {
    program('apt-get', APT);
    const { status, stderr, log } = setUp({ uid: 1000 });
    expect({ status, log }).toEqual({ status: 1, log: [] });
    expect(stderr).toMatch(/^nats-server is missing: run ".*nats-server.*" and try again[^\n]*\n$/);
    expect(setUp({ uid: 1000, required: false })).toMatchObject({ status: 0, stderr });
  });
});
