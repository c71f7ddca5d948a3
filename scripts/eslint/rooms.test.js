import { ESLint } from 'eslint';
import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import tseslint from 'typescript-eslint';
import { describe, expect, it } from 'vitest';
import { roomProblem, ROOMS } from './rooms.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

describe('the order of rooms', () => {
  it('lists every room once, and no other', () => {
    const found = ['src', 'cluster'].flatMap((folder) =>
      readdirSync(`${root}/${folder}`)
        .filter((name) => !name.endsWith('.test.ts'))
        .map((room) => `${folder}/${room}`),
    );
    expect([...ROOMS].sort()).toEqual(found.sort());
    expect(new Set(ROOMS).size).toBe(ROOMS.length);
    for (const room of ROOMS) expect(existsSync(`${root}/${room}`)).toBe(true);
  });

  it.each([
    ['src/bus/bus.ts', 'src/protocol/subjects.ts', 'src/bus', 'src/protocol'],
    ['src/records/step-rows.ts', 'src/flow/run.ts', 'src/records', 'src/flow'],
    ['src/flow/group.ts', 'src/tasks/load.ts', 'src/flow', 'src/tasks'],
    ['src/errors.ts', 'src/clock/clock.ts', 'src/errors.ts', 'src/clock'],
    ['src/store/store.ts', 'src/index.ts', 'src/store', 'src/index.ts'],
    ['src/jobs/record.ts', 'cluster/jobs/directory.ts', 'src/jobs', 'cluster/jobs'],
    ['cluster/jobs/job-leases.ts', 'cluster/runtime/context.ts', 'cluster/jobs', 'cluster/runtime'],
    ['cluster/admin/service.ts', 'cluster/coordinator/index.ts', 'cluster/admin', 'cluster/coordinator'],
    ['cluster/report/report.ts', 'cluster/cli/main.ts', 'cluster/report', 'cluster/cli'],
  ])('refuses that %s imports %s', (file, target, from, to) => {
    expect(roomProblem(file, target)).toBe(
      `${from} is below ${to} and must not import from it (the order is in scripts/eslint/rooms.js)`,
    );
    expect(roomProblem(target, file)).toBeUndefined();
  });

  it('asks for the place of a new room', () => {
    const problem = 'src/new is no room yet: give it its place in the order of scripts/eslint/rooms.js';
    expect(roomProblem('src/new/a.ts', 'src/errors.ts')).toBe(problem);
    expect(roomProblem('cluster/cli/main.ts', 'src/new/a.ts')).toBe(problem);
  });

  it('leaves files of one room alone, and those outside', () => {
    expect(roomProblem('src/flow/run.ts', 'src/flow/plan.ts')).toBeUndefined();
    expect(roomProblem('bench/train/main.ts', 'src/store/store.ts')).toBeUndefined();
  });

  it('is held for types, too', async () => {
    // Rules that need types are off: the file exists only in this test.
    const eslint = new ESLint({ cwd: root, overrideConfig: [tseslint.configs.disableTypeChecked] });
    const code = [
      "import type { Assessment } from '../reward/assess.ts';",
      "export type Run = import('../flow/run.ts').FlowRun;",
      "export type { Store } from '../store/store.ts';",
      "import type { Bus } from '../bus/bus.ts';",
      'export type Both = [Assessment, Bus];',
      '',
    ].join('\n');
    const [result] = await eslint.lintText(code, { filePath: `${root}/src/records/made-up.ts` });
    const found = result?.messages.filter(({ ruleId }) => ruleId === 'millrace/layers').map(({ line }) => line);
    expect(found).toEqual([1, 2, 3]);
  });
});
