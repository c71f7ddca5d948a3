import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startFakeProvider, type FakeProvider } from '../../src/model/testing/fake-provider.ts';
import { main } from './main.ts';

const example = (name: string): string => fileURLToPath(new URL(`../../examples/workflows/${name}.ts`, import.meta.url));
const KEY = 'sk-key-of-the-provider';

let folder: string;
let provider: FakeProvider;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-run-'));
  provider = await startFakeProvider({
    apiKey: KEY,
    script: ({ text, request, model }) => {
      if (model === 'broken') return { fault: { status: 404 } };
      if (request.tools === undefined) return 'ready';
      const country = / of (\w+)/.exec(text)?.[1];
      return country === undefined ? `It is ${text}.` : { calls: [{ tool: 'capital_of', arguments: { country } }] };
    },
  });
  writeFileSync(
    join(folder, 'models.yaml'),
    `providers:\n  here: { kind: openai, url: ${provider.url}/v1, key: { env: KEY } }
models:
  small: { provider: here, model: gpt-small, price: { inputPerMillion: 1, outputPerMillion: 1 } }
  broken: { provider: here, model: broken }\n`,
  );
});
afterEach(async () => {
  await provider.close();
  rmSync(folder, { recursive: true });
});

async function millrace(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const [out, err]: string[][] = [[], []];
  const into = (list: string[]) => ({ write: (text: string) => list.push(text) });
  const signal = new AbortController().signal;
  const code = await main(args, { stdout: into(out!), stderr: into(err!), env: { KEY }, cwd: folder, signal });
  return { code, out: out!.join(''), err: err!.join('') };
}

describe('millrace run', () => {
  it('runs a flow for a prompt, and shows its steps', async () => {
    const { code, out, err } = await millrace('run', example('tool-agent'), '--prompt', 'capital of Peru', '--model', 'small');
    expect([code, out]).toEqual([0, 'It is Lima.\n']);
    expect(err).toMatch(/1\. capital_of \{"country":"Peru"\} → Lima\n2\. It is Lima\.\n.* tokens, \$0\.0/);
    expect(out + err).not.toContain(KEY);
  });

  it('runs all tasks of a file, and says which failed', async () => {
    writeFileSync(join(folder, 'tasks.jsonl'), '{"id":"a","question":"capital of Japan"}\n{"id":"b"}\n');
    const { code, out, err } = await millrace('run', example('tool-agent'), '--tasks', 'tasks.jsonl', '--model', 'small');
    const lines = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
      .sort((a, b) => a.index - b.index);
    expect(code).toBe(1);
    expect(lines).toMatchObject([
      { index: 0, answer: 'It is Tokyo.' },
      { index: 1, error: expect.stringContaining('question') },
    ]);
    expect(err).toContain('2 of 2, 1 failed');
  });

  it('runs a workflow by the names of the file and of --model', async () => {
    const { code, out } = await millrace('run', example('sequential'), '--prompt', 'rain', '--model', 'writer=small');
    expect([code, out]).toEqual([0, 'ready\n']);
  });

  it.each([
    [['--model', 'small'], /one of --prompt, --task and --tasks/],
    [['--prompt', 'x', '--model', 'tiny'], /there is no model 'tiny'; models are small, broken/],
    [['--task', '{', '--model', 'small'], /--task: .*give JSON, or @FILE/],
    [['--prompt', 'x', '--models', 'none.yaml', '--model', 'small'], /none\.yaml: there is no such file of models/],
    [['--prompt', 'x', '--model', 'small', '--temperature', 'hot'], /--temperature must be a number from 0 to 2/],
  ])('says what is wrong with %j', async (args, problem) => {
    const { code, err } = await millrace('run', example('tool-agent'), ...args);
    expect(code).toBeGreaterThan(0);
    expect(err).toMatch(problem);
  });
});

it('millrace models check asks each model, and shows who answered', async () => {
  const all = await millrace('models', 'check');
  expect(all.code).toBe(1);
  expect(all.out).toMatch(/small +gpt-small of here +ok +\d+ ms +\d+ +\$0\.0/);
  expect(all.out).toMatch(/broken +broken of here .*HTTP 404/);
  expect((await millrace('models', 'check', 'small', '-o', 'json')).code).toBe(0);
  expect(all.out + all.err).not.toContain(KEY);
});
