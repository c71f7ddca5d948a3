import { defineAgent, seededRandom, z } from 'millrace';
import { ENDINGS, GOODS, OPENINGS, SENTENCES, type Call } from './sentences.ts';

/** What a customer writes, and the call that it asks for. */
interface Task {
  id: string;
  /** What kind of sentence it is: held-out tasks are of kinds that training never sees. */
  phrasing: string;
  text: string;
  call: string;
}

/** Tasks of each kind of sentence. */
const TASKS_PER_PHRASING = 4;

/**
 * Answers a sentence with one call. Calls are text of a few tokens, and there are no tools to run: time goes with the tokens that are
 * written and learned from. examples/order-desk has tools.
 */
export default defineAgent<Task, { call: string }>({
  name: 'tool-choice',
  task: z.object({ id: z.string(), phrasing: z.string(), text: z.string(), call: z.string() }),
  splitKey: ({ phrasing }) => phrasing,
  load({ seed }) {
    const random = seededRandom(seed);
    const one = <T>(of: readonly T[]): T => of[random.integer(of.length)]!;
    const tasks = (Object.keys(SENTENCES) as Call[]).flatMap((call) =>
      SENTENCES[call].flatMap((sentence, s) =>
        Array.from({ length: TASKS_PER_PHRASING }, (_, i): Task => {
          const argument = call === 'stock' ? one(GOODS) : String(100 + random.integer(900));
          const text = one(OPENINGS) + sentence.replace(/[#@]/, argument) + one(ENDINGS);
          return { id: `${call}-${s}-${i}`, phrasing: `${call}-${s}`, text, call: `${call}(${argument})` };
        }),
      ),
    );
    // In no order: rounds are to have some of everything.
    const key = new Map(tasks.map(({ id }) => [id, random.uniform()]));
    return { tasks: tasks.sort((a, b) => key.get(a.id)! - key.get(b.id)!) };
  },
  type: ({ phrasing }) => phrasing.split('-')[0]!,
  instructions: 'Answer with track, cancel, refund, address, invoice or stock.',
  messages: ({ text }) => text,
  tools: [],
  maxTurns: 1,
  memory: ({ call }) => ({ call }),
  answer: (_, text) => text?.trim() ?? null,
  reward: ({ call }, answer) => (answer === call ? 1 : 0),
  rule: ({ call }) => call,
});
