import { describe, expect, it } from 'vitest';
import { parcelFlow } from './fixtures/parcels.ts';
import { validateFlow } from './validate.ts';

type Parts = Record<string, unknown>;

/** The parcel flow with parts replaced, dots in the names reaching into tools. */
function changed(parts: Parts): unknown {
  const flow = parcelFlow() as unknown as Parts & { tools: Record<string, Parts> };
  for (const [path, value] of Object.entries(parts)) {
    const [first, tool, field] = path.split('.') as [string, string?, string?];
    if (field !== undefined) flow.tools[tool!] = { ...flow.tools[tool!], [field]: value };
    else if (tool !== undefined) flow.tools[tool] = value as Parts;
    else flow[first] = value;
  }
  return flow;
}

describe('validateFlow', () => {
  it('gives a good flow back', () => {
    const flow = parcelFlow();
    expect(validateFlow(flow)).toBe(flow);
    expect(() => validateFlow(changed({ features: {}, rule: undefined }))).not.toThrow();
  });

  it.each<[string, Parts, RegExp]>([
    ['name', { name: '' }, /name must be a name/],
    ['name', { name: 'my flow' }, /got "my flow"/],
    ['task', { task: { id: 'string' } }, /zod schema/],
    ['plan', { plan: undefined }, /plan must be a function, got undefined/],
    ['rule', { rule: 3 }, /rule must be a function or absent, got 3/],
    ['planner', { planner: () => 0 }, /planner is not a field of a flow; known: load, /],
    ['toolTimeoutMs', { toolTimeoutMs: -1 }, /milliseconds/],
    ['maxRewardCost', { maxRewardCost: '1' }, /US dollars between 0 and 1000000/],
    ['tools', { tools: {} }, /at least one tool/],
    ['tools.fly away', { 'tools.fly away': {} }, /tools\.fly away must be called by a name/],
    ['tools.stamp', { 'tools.stamp': 1 }, /made with defineTool, got 1/],
    ['tools.stamp.pointers', { 'tools.stamp.pointers': 3 }, /must be 0, 1 or 2, got 3/],
    ['tools.stamp.input', { 'tools.stamp.input': {} }, /zod schema/],
    ['tools.stamp.description', { 'tools.stamp.description': '' }, /sentence/],
    ['tools.stamp.run', { 'tools.stamp.run': undefined }, /must be a function/],
    ['tools.leave.timeoutMs', { 'tools.leave.timeoutMs': Infinity }, /milliseconds/],
    ['tools.leave.onTimeout', { 'tools.leave.onTimeout': 'retry' }, /must be 'error' or 'fail', got "retry"/],
    ['potential', { potential: 1 }, /potential must be a function or absent, got 1/],
    ['bucket', { bucket: 1 as never }, /bucket must be a function or absent, got 1/],
    ['observe', { observe: {} }, /observe must be a function or absent, got {}/],
    ['components', { components: 'tidy' }, /components must be a list of names, got "tidy"/],
    ['components[1]', { components: ['tidy', 'tidy'] }, /repeats "tidy"/],
    ['features', { features: undefined }, /must be an object/],
    ['features.memory', { features: { memory: [] } }, /of state, item or action/],
    ['features.item', { features: { item: 'stamped' } }, /list of names/],
    ['features.state[1]', { features: { state: ['a', 'a'] } }, /repeats "a"/],
  ])('names %s', (field, parts, message) => {
    const check = () => validateFlow(changed(parts), '/flows/a.ts');
    expect(check).toThrow(expect.objectContaining({ code: 'invalid_argument', field }) as Error);
    expect(check).toThrow(message);
    expect(check).toThrow(/^\/flows\/a\.ts: /);
  });

  it.each([null, 3, 'flow', [], () => ({})])('refuses %s', (value) => {
    expect(() => validateFlow(value)).toThrow(/must be an object made with defineFlow/);
  });
});
