import { expect, it } from 'vitest';
import { checkDecides } from './decides.ts';
import type { FlowDefinition } from './define.ts';

const flow = (pointers: Record<string, number | undefined>): Pick<FlowDefinition<any, any>, 'name' | 'tools'> => ({
  name: 'levers',
  tools: Object.fromEntries(
    Object.entries(pointers).map(([name, count]) => [name, { ...(count !== undefined && { pointers: count }) }]),
  ) as FlowDefinition<any, any>['tools'],
});

it.each([{ pull: undefined }, { pull: 0 }])('refuses a flow with one tool that points to nothing: %o', (tools) => {
  expect(() => checkDecides(flow(tools))).toThrow(
    expect.objectContaining({
      code: 'invalid_argument',
      field: 'flow',
      message: expect.stringMatching(/^Flow 'levers' has one tool, 'pull', without pointers: .*Add a tool/) as string,
    }),
  );
});

it.each([{ pull: 1 }, { left: undefined, right: undefined }])('takes one with a choice: %o', (tools) => {
  expect(() => checkDecides(flow(tools))).not.toThrow();
});

it('takes any flow for a policy that writes arguments', () => {
  expect(() => checkDecides(flow({ pull: 0 }), { decides: 'generated' })).not.toThrow();
});

it('refuses an agent whose policy does not write', () => {
  const agent = { ...flow({ look: 0, pull: 0 }), calls: 'any' } as const;
  expect(() => checkDecides(agent)).toThrow(expect.objectContaining({ field: 'policy.kind' }) as Error);
  expect(() => checkDecides(agent, { decides: 'generated' })).not.toThrow();
});
