import { describe, expect, it } from 'vitest';
import { runFlow, runWorkflow, scriptedModel, type Script } from 'millrace';
import parallel from './parallel.ts';
import plannerExecutorSolver from './planner-executor-solver.ts';
import reasoning from './reasoning.ts';
import sequential from './sequential.ts';
import toolAgent from './tool-agent.ts';

const lookUp: Script = ({ text, request }) => {
  if (request.messages.at(-1)!.role === 'tool') return `It is ${text}.`;
  const country = / of (\w+)/.exec(text)![1]!;
  return { calls: [{ tool: 'capital_of', arguments: { country } }] };
};

describe('the examples', () => {
  it('sequential: each step has what the one before left behind', async () => {
    const writer = scriptedModel(['a draft', 'it is dull', 'a better text']);
    const { answer, steps } = await runWorkflow(sequential, 'rain', { models: { writer } });
    expect(answer).toBe('a better text');
    expect(steps.map(({ name }) => name)).toEqual(['draft', 'review', 'final']);
    expect(writer.calls[2]!.text).toContain('a draft\n\nMistake: it is dull');
  });

  it('parallel: the majority decides', async () => {
    const judge = scriptedModel(({ request }) => JSON.stringify({ label: request.seed === 2 ? 'fine' : 'spam' }));
    const { answer, models } = await runWorkflow(parallel, 'You have won', { models: { judge } });
    expect(answer).toBe('spam');
    expect(models.calls).toBe(3);
  });

  it('reasoning: a wrong answer is worked out again', async () => {
    const thinker = scriptedModel([JSON.stringify({ steps: [], x: 3 }), JSON.stringify({ steps: ['subtract 1'], x: 2 })]);
    const { answer, results } = await runWorkflow(reasoning, { a: 2, b: 1, c: 5 }, { models: { thinker } });
    expect([answer, results['check']]).toEqual([2, false]);
    expect(thinker.calls[1]!.text).toContain('x = 3 is wrong');
  });

  it('tool agent: the model calls tools, and reads what came of it', async () => {
    const planner = scriptedModel(lookUp);
    const task = { id: 'Japan', question: 'What is the capital of Japan?' };
    const seen: string[] = [];
    const result = await runFlow(toolAgent, task, { models: { planner }, score: true, onStep: ({ tool }) => seen.push(tool) });
    expect(result).toMatchObject({ answer: 'It is Tokyo.', ended: 'done', outcome: 1, models: { calls: 2 } });
    expect(seen).toEqual(['capital_of', '']);
  });

  it('planner, executor, solver: each has a model of its own', async () => {
    const planner = scriptedModel([JSON.stringify({ questions: ['capital of France', 'capital of Peru'] })]);
    const executor = scriptedModel(lookUp);
    const solver = scriptedModel(({ text }) => (/Paris.*Lima/s.test(text) ? 'Paris and Lima' : 'unknown'));
    const { answer, models } = await runWorkflow(plannerExecutorSolver, 'Which capitals?', {
      models: { planner, executor, solver },
    });
    expect(answer).toBe('Paris and Lima');
    expect(models.calls).toBe(1 + 4 + 1);
  });
});
