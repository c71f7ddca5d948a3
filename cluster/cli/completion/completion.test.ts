import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startServer, type RunningServer } from '../../../src/rpc/server.ts';
import { MemoryBackend } from '../../admin/memory-backend.ts';
import { adminService } from '../../admin/service.ts';
import { writeAdminFile } from '../../up/admin-file.ts';
import { main } from '../main.ts';
import { COMPLETE } from './scripts.ts';

/** What the command line offers: against a real server with a fake backend. */
describe('completion', () => {
  let folder: string;
  let server: RunningServer;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'millrace-completion-'));
    const backend = new MemoryBackend();
    server = await startServer({ services: [adminService(backend)] });
    writeAdminFile(join(folder, '.millrace'), { address: server.address });
    for (const id of ['retail-1', 'retail-2', 'maze-1']) await backend.createJob(id, { name: 'demo' } as never);
  });
  afterAll(async () => {
    await server.stop(500);
    rmSync(folder, { recursive: true });
  });

  async function run(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
    const written = { stdout: '', stderr: '' };
    const output = (stream: 'stdout' | 'stderr') => ({ write: (text: string) => (written[stream] += text) });
    const { signal } = new AbortController();
    const code = await main(args, { stdout: output('stdout'), stderr: output('stderr'), env: {}, cwd: folder, signal });
    return { code, ...written };
  }

  /** The words offered for the last of these. */
  async function offered(...words: string[]): Promise<string[]> {
    const { code, stdout, stderr } = await run(COMPLETE, ...words);
    expect([code, stderr]).toEqual([0, '']);
    return stdout.split('\n').slice(0, -1).sort();
  }

  it('offers nouns and verbs', async () => {
    expect(await offered('')).toEqual(expect.arrayContaining(['job', 'train', 'store', 'completion']));
    expect(await offered('')).not.toContain(COMPLETE);
    expect(await offered('jo')).toEqual(['job', 'join']);
    expect(await offered('job', 'c')).toEqual(['cancel', 'checkpoints', 'create']);
    expect(await offered('-o', 'json', 'store', 'p')).toEqual(['prune']);
  });

  it('offers options of the command and of all commands, and their values', async () => {
    expect(await offered('job', 'list', '--')).toEqual(expect.arrayContaining(['--help', '--mine', '--output', '--status']));
    expect(await offered('job', 'list', '--')).not.toContain('--token');
    expect(await offered('job', 'list', '--status', 'running,pa')).toEqual(['running,paused']);
    expect(await offered('job', 'list', '-o', '')).toEqual(['json', 'table']);
    expect(await offered('query', 'task')).toEqual(['tasks']);
    expect(await offered('completion', '')).toEqual(['bash', 'fish', 'zsh']);
    expect(await offered('job', 'create', '')).toEqual([]);
  });

  it('offers the jobs of the cluster, of that which the command line names', async () => {
    expect(await offered('job', 'describe', 'retail')).toEqual(['retail-1', 'retail-2']);
    expect(await offered('job', 'cancel', 'maze-1', 'r')).toEqual(['retail-1', 'retail-2']);
    expect(await offered('job', 'fork', 'm')).toEqual(['maze-1']);
    expect(await offered('query', 'tasks', '--job', 'm')).toEqual(['maze-1']);
    expect(await offered('--state', 'elsewhere', 'job', 'describe', '')).toEqual([]);
    expect(await offered('--address', '127.0.0.1:1', 'job', 'describe', '')).toEqual([]);
  });

  it('prints scripts', async () => {
    for (const shell of ['bash', 'zsh', 'fish']) {
      const { stdout } = await run('completion', shell);
      expect(stdout).toContain(`millrace completion for ${shell}`);
      expect(JSON.parse((await run('completion', shell, '-o', 'json')).stdout)).toEqual({ shell, script: stdout });
    }
    expect(await run('completion', 'csh')).toMatchObject({ code: 2, stderr: expect.stringMatching(/bash, zsh, fish/) as string });
  });

  it('works in bash', async () => {
    const { stdout: script } = await run('completion', 'bash');
    // A command of that name which answers as ours does for these words, to save its start.
    const answer = (await offered('job', 'describe', 'ret')).join('\\n');
    const command = join(folder, 'millrace');
    writeFileSync(command, `#!/bin/sh\n[ "$*" = "${COMPLETE} job describe ret" ] && printf '${answer}\\n'\n`);
    chmodSync(command, 0o755);
    const lines = [
      script,
      'complete -p millrace',
      'COMP_WORDS=(millrace job describe ret); COMP_CWORD=3',
      '_millrace millrace ret describe',
      'printf "<%s>" "${COMPREPLY[@]}"',
    ];
    const bash = spawn('bash', ['--norc', '-c', lines.join('\n')], {
      env: { ...process.env, PATH: `${folder}${delimiter}${process.env['PATH'] ?? ''}` },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let printed = '';
    for await (const chunk of bash.stdout) printed += String(chunk);
    expect(printed).toBe('complete -o default -F _millrace millrace\n<retail-1><retail-2>');
  });
});
