import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { saveCheckpoint } from '../checkpoint/save.ts';
import { defineFlow, defineTool, loadPolicy, MillraceError, RetryLater, ToolError, z } from '../index.ts';
import { flowOutline } from '../flow/plan.ts';
import { builtInKinds } from '../policy/registry.ts';

/** A light that is to be on, behind a door that may be locked; `context` has the codes. */
interface Memory {
  code: number;
  door: 'open' | 'locked';
  log: string[];
}
const taskSchema = z.object({ id: z.string(), locked: z.boolean() });
type Task = z.infer<typeof taskSchema>;

const tool = defineTool<Memory>();
const flow = defineFlow<Task, Memory>({
  name: 'light',
  task: taskSchema,
  load: () => ({ tasks: [{ id: 'a', locked: true }], context: { code: 7 } }),
  tools: {
    unlock: tool({
      description: 'Unlocks the door.',
      input: z.object({ code: z.int() }),
      arguments: ({ code }) => ({ code }),
      run: ({ code }) => {
        if (code !== 7) throw new ToolError('wrong code');
        return 'unlocked';
      },
    }),
    light: tool({ description: 'Turns the light on.', input: z.object({}), arguments: () => ({}), run: () => 'on' }),
  },
  features: { state: ['locked'] },
  remember: ({ locked }, context) => ({ ...(context as { code: number }), door: locked ? 'locked' : 'open', log: [] }),
  plan: ({ door }) => ({
    flags: { locked: door === 'locked' },
    items: [],
    actions: door === 'locked' ? [{ tool: 'unlock' }] : [{ tool: 'light' }, { tool: 'unlock' }],
  }),
  verify(memory, { tool: called, result, error }) {
    memory.log.push(`${called}: ${error ?? String(result)}`);
    if (called === 'unlock' && error === undefined) memory.door = 'open';
    return called === 'light' ? { next: 'stop', verified: true } : 'continue';
  },
  maxSteps: () => 50,
  answer: ({ log }) => log,
  reward: () => 1,
});
const task: Task = { id: 'a', locked: true };

let folder: string;
let checkpoint: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-serving-'));
  const kind = builtInKinds.get('planner');
  const spec = kind.specification(flowOutline(flow), kind.settings.parse({ hidden: 8 }), { seed: 1, value: false });
  checkpoint = join(folder, 'v000003');
  await saveCheckpoint(checkpoint, { spec, parameters: kind.initial(spec), meta: { job: 'light', version: 3 } });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('start', () => {
  it('gives the actions of a flow one by one and takes what came of them', async () => {
    const policy = await loadPolicy(checkpoint, flow);
    expect(policy.meta).toEqual({ job: 'light', version: 3 });
    const run = policy.start(task);
    expect(await run.next()).toMatchObject({ tool: 'unlock', arguments: { code: 7 }, probability: 1, entropy: 0, step: 0 });
    run.fail('the door is stuck');
    expect(await run.next()).toMatchObject({ tool: 'unlock', step: 1 });
    run.tell('unlocked');
    for (let action = await run.next(); action !== undefined; action = await run.next()) {
      expect(action.probability).toBeGreaterThan(0);
      expect(action.probability).toBeLessThan(1);
      run.tell(`${action.tool} done`);
    }
    expect([run.ended, run.verified]).toEqual([true, 1]);
    expect(run.answer()).toEqual(run.memory.log);
    expect(run.memory.log.slice(0, 2)).toEqual(['unlock: the door is stuck', 'unlock: unlocked']);
    expect(run.memory.log.at(-1)).toBe('light: light done');
    policy.close();
  });

  it('does an action with the flow’s own tool when it is asked to', async () => {
    const policy = await loadPolicy(checkpoint, flow, { context: { code: 8 } });
    const run = policy.start(task);
    await run.next();
    expect(await run.act()).toEqual({ error: 'wrong code' });
    run.memory.code = 7;
    await run.next();
    expect(await run.act()).toEqual({ result: 'unlocked' });
    policy.close();
  });

  it('refuses calls out of turn', async () => {
    const policy = await loadPolicy(checkpoint, flow);
    const run = policy.start(task);
    expect(() => run.tell('x')).toThrow('call next() first');
    await expect(run.act()).rejects.toThrow('call next() first');
    await run.next();
    await expect(run.next()).rejects.toMatchObject({ code: 'failed_precondition' });
    run.tell('unlocked');
    policy.close();
    policy.close();
    await expect(run.next()).rejects.toThrow('load it again');
    expect(() => policy.start(task)).toThrow('load it again');
  });

  it('names what is wrong with a task or an option', async () => {
    const policy = await loadPolicy(checkpoint, flow);
    const wrong = { id: 'a', locked: 'yes' } as unknown as Task;
    expect(() => policy.start(wrong)).toThrow(
      expect.objectContaining({ code: 'invalid_argument', field: 'task.locked' }) as Error,
    );
    await expect(policy.solve(wrong)).rejects.toMatchObject({ field: 'task.locked' });
    expect(() => policy.start(task, { temperature: -1 })).toThrow('temperature must be 0 or more, got -1');
    policy.close();
  });
});

describe('solve', () => {
  it('plays a whole flow with its own tools, the same for the same seed', async () => {
    const policy = await loadPolicy(checkpoint, flow);
    const solution = await policy.solve(task, { temperature: 1, seed: 5 });
    expect(solution.ended).toBe('done');
    expect(solution.steps[0]).toEqual({
      ...{ tool: 'unlock', arguments: '{"code":7}', result: 'unlocked' },
      ...{ error: false, verified: false, probability: 1 },
    });
    expect(solution.answer).toEqual(solution.steps.map(({ tool: called, result }) => `${called}: ${result}`));
    expect(await policy.solve(task, { temperature: 1, seed: 5 })).toEqual(solution);
    const many = await Promise.all(Array.from({ length: 20 }, (_, seed) => policy.solve(task, { temperature: 1, seed })));
    expect(new Set(many.map(({ steps }) => steps.length)).size).toBeGreaterThan(1);
    expect(many[5]).toEqual(solution);
    policy.close();
  });

  it('says which part of a flow broke, and what is to be called later', async () => {
    const broken = (run: () => unknown): typeof flow => ({
      ...flow,
      tools: { ...flow.tools, unlock: { ...flow.tools['unlock']!, run } },
    });
    const crash = await loadPolicy(
      checkpoint,
      broken(() => JSON.parse('{')),
    );
    await expect(crash.solve(task)).rejects.toMatchObject({ code: 'failed_precondition', field: 'flow' });
    await expect(crash.solve(task)).rejects.toThrow(/TOOL_CRASH.*tools\.unlock\.run/);
    crash.close();
    const busy = await loadPolicy(
      checkpoint,
      broken(() => {
        throw new RetryLater({ reason: 'busy', afterMs: 1_500 });
      }),
    );
    await expect(busy.solve(task)).rejects.toMatchObject({ code: 'unavailable', message: "tool 'unlock': busy" });
    const run = busy.start(task);
    await run.next();
    await expect(run.act()).rejects.toMatchObject({ code: 'unavailable' });
    run.tell('unlocked by hand');
    expect(run.memory.door).toBe('open');
    busy.close();
  });
});

describe('loadPolicy', () => {
  it('refuses a flow that the policy was not trained in, and names the difference', async () => {
    const other = { ...flow, features: { state: ['locked', 'dark'] } };
    await expect(loadPolicy(checkpoint, other)).rejects.toMatchObject({ code: 'failed_precondition' });
    await expect(loadPolicy(checkpoint, other)).rejects.toThrow(/trained in another flow than 'light': features/);
  });

  it('says that a checkpoint does not hold what its specification asks for, however much that is', async () => {
    const huge = join(folder, 'huge');
    await cp(checkpoint, huge, { recursive: true });
    const manifest = JSON.parse(await readFile(join(huge, 'manifest.json'), 'utf8')) as { spec: object };
    await writeFile(join(huge, 'manifest.json'), JSON.stringify({ ...manifest, spec: { ...manifest.spec, hidden: 1e9 } }));
    await expect(loadPolicy(huge, flow)).rejects.toMatchObject({ code: 'data_loss' });
  });

  it('says where there is no checkpoint, and what is no flow', async () => {
    await expect(loadPolicy(join(folder, 'none'), flow)).rejects.toMatchObject({ code: 'not_found', field: 'checkpoint' });
    await expect(loadPolicy(checkpoint, {} as typeof flow)).rejects.toBeInstanceOf(MillraceError);
  });
});
