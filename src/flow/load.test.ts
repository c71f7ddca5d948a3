import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadFlow } from './load.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'flow-load-'))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function write(name: string, text: string): string {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
}

describe('loadFlow', () => {
  it('loads a flow of this repository', async () => {
    const flow = await loadFlow(join(root, 'docs/first-flow/flow.ts'));
    expect(flow.name).toBe('thermostat');
  });

  it('names what is wrong with the module', async () => {
    await expect(loadFlow(join(folder, 'none.ts'))).rejects.toMatchObject({ code: 'not_found', field: 'flow' });
    await expect(loadFlow(folder)).rejects.toMatchObject({ code: 'not_found' });
    await expect(loadFlow(write('empty.mjs', 'export const flow = 1;'))).rejects.toThrow(/empty\.mjs has no default export/);
    await expect(loadFlow(write('number.mjs', 'export default 3;'))).rejects.toThrow(/number\.mjs: flow must be an object/);
    await expect(loadFlow(write('part.mjs', "export default { name: 'a' };"))).rejects.toMatchObject({ field: 'task' });
    const throwing = loadFlow(write('throws.mjs', "throw new TypeError('at import');"));
    await expect(throwing).rejects.toThrow(/throws\.mjs cannot be imported: TypeError: at import/);
    const refused = "throw Object.assign(new Error('tools must be a list'), { name: 'MillraceError' });";
    await expect(loadFlow(write('refused.mjs', refused))).rejects.toThrow(
      /refused\.mjs cannot be imported: tools must be a list/,
    );
  });
});

/** What happens in a process of Millrace's own, where tsx and Node load the module instead of the test runner. */
describe('a flow outside this repository', () => {
  const flow = (extra: string): string => `
    ${extra}
    import { defineFlow, defineTool, ToolError, z } from 'millrace';
    import * as zod from 'zod';
    const tool = defineTool();
    export default Object.assign(defineFlow({
      name: 'outside', task: z.object({ id: z.string() }), load: () => ({ tasks: [] }),
      tools: { wait: tool({ description: 'Waits.', input: zod.object({}), arguments: () => ({}), run: () => { throw new ToolError('no'); } }) },
      features: {}, remember: () => helper, plan: () => ({ items: [], actions: [] }), verify: () => 'stop',
      answer: () => null, reward: () => 0, description: new URL('.', import.meta.url).pathname,
    }));`;

  function load(file: string): unknown {
    const script = write(
      'script.mts',
      `import { loadFlow } from '${root}src/flow/load.ts';
       import { ToolError } from '${root}src/index.ts';
       const flow = await loadFlow(process.argv[2]!);
       let same = false;
       try { flow.tools['wait']!.run({}, {}, AbortSignal.timeout(1)); } catch (error) { same = error instanceof ToolError; }
       console.log(JSON.stringify({ name: flow.name, memory: flow.remember({}, null), same, at: flow.description }));`,
    );
    const output = execFileSync(
      process.execPath,
      ['--throw-deprecation', '--import', join(root, 'node_modules/tsx/dist/esm/index.mjs'), script, file],
      {
        encoding: 'utf8',
        timeout: 30_000,
        env: { ...process.env, NODE_OPTIONS: '' },
      },
    );
    return JSON.parse(output);
  }

  it('loads TypeScript with siblings where nothing says that it is a module', () => {
    write(
      'helper.ts',
      "import { deep } from './deep.js'; enum Kind { Helper = 1 } export const helper: { kind: number; deep: string } = { kind: Kind.Helper, deep };",
    );
    write('deep.ts', "import { z } from 'zod'; export const deep: string = typeof z.object;");
    const file = write('outside.ts', flow("import { helper } from './helper';"));
    expect(load(file)).toEqual({ name: 'outside', memory: { kind: 1, deep: 'function' }, same: true, at: `${folder}/` });
  });

  it('loads JavaScript, and both in a package of type commonjs', () => {
    const script = write('plain.js', flow('const helper = 1;'));
    expect(load(script)).toMatchObject({ memory: 1, same: true });
    write('package.json', '{"type":"commonjs"}');
    expect(load(script)).toMatchObject({ memory: 1, same: true });
    expect(load(write('again.ts', flow('const helper: number = 2;')))).toMatchObject({ memory: 2, same: true });
  });
});
