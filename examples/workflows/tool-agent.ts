/** An agent with tools: any flow runs without training, here one that a job could train as well. */
import { agentTool, defineAgent, ToolError, z } from 'millrace';

const CAPITALS: Readonly<Record<string, string>> = { France: 'Paris', Japan: 'Tokyo', Peru: 'Lima' };
const tool = agentTool<{ asked: string[] }>();

export default defineAgent<{ id: string; question: string }, { asked: string[] }>({
  name: 'tool-agent',
  task: z.object({ id: z.string(), question: z.string() }),
  load: () => ({
    tasks: Object.keys(CAPITALS).map((country) => ({ id: country, question: `What is the capital of ${country}?` })),
  }),
  fromQuery: ({ query, index }) => ({ id: `q${index}`, question: query }),
  instructions: 'Answer the question. Look capitals up.',
  messages: ({ question }) => question,
  memory: () => ({ asked: [] }),
  tools: [
    tool({
      name: 'capital_of',
      description: 'Looks up the capital of a country.',
      input: z.object({ country: z.string() }),
      run({ country }, { asked }) {
        asked.push(country);
        const capital = CAPITALS[country];
        if (capital === undefined) throw new ToolError(`there is no country ${country}`);
        return capital;
      },
    }),
  ],
  reward: ({ id }, answer) => (typeof answer === 'string' && answer.includes(CAPITALS[id] ?? '?') ? 1 : 0),
});
