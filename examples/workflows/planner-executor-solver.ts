/** A planner breaks the question up, an agent with tools answers each part, and a solver puts the answer together. */
import { defineWorkflow, modelNamed, runFlow, z } from 'millrace';
import agent from './tool-agent.ts';

const plan = z.object({ questions: z.array(z.string()).min(1).max(5) });

export default defineWorkflow<string>({
  name: 'planner-executor-solver',
  description: 'Plans questions, has an agent answer each of them, and writes one answer.',
  steps: {
    plan: {
      model: 'planner',
      prompt: ({ input }) => `Which questions must be looked up to answer this?\n${input}`,
      output: plan,
    },
    execute: {
      after: ['plan'],
      retries: 1,
      run: ({ results, signal }) =>
        Promise.all(
          (results['plan'] as z.infer<typeof plan>).questions.map(async (question, i) => {
            const models = { planner: modelNamed('executor') };
            const { answer } = await runFlow(agent, { id: `q${i}`, question }, { models, signal });
            return { question, answer };
          }),
        ),
    },
    solve: {
      after: ['execute'],
      model: 'solver',
      prompt: ({ input, results }) => `${input}\n\nWhat is known: ${JSON.stringify(results['execute'])}`,
    },
  },
});
