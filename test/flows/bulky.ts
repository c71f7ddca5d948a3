/** A flow whose groups are larger than a message: every step shows new texts, and answers are long. */
import { defineFlow, defineTool, seededRandom, z } from 'millrace';

const taskSchema = z.object({ id: z.string() });
interface Memory {
  id: string;
  done: string[];
  shown: number;
}

const ITEMS = 24;
const WORDS = 200;

const tool = defineTool<Memory>();
const act = (name: string) =>
  tool({ description: `Does ${name}.`, input: z.object({}), arguments: () => ({}), run: (_, memory) => memory.done.push(name) });

/** How many texts were made; whoever compares two runs begins anew. */
const world = globalThis as { millraceTestTexts?: number };

/** A text that no other step of no other flow shows. */
function text({ id, done }: Memory, item: number): string {
  const made = (world.millraceTestTexts = (world.millraceTestTexts ?? 0) + 1);
  const random = seededRandom(`${id}/${done.join()}/${item}/${made}`);
  return Array.from({ length: WORDS }, () => `w${random.integer(100_000)}`).join(' ');
}

export default defineFlow<z.infer<typeof taskSchema>, Memory>({
  name: 'bulky',
  task: taskSchema,
  load: () => ({ tasks: Array.from({ length: 20 }, (_, i) => ({ id: `task-${i}` })) }),
  features: {},
  tools: { right: act('right'), wrong: act('wrong') },
  remember: ({ id }) => ({ id, done: [], shown: 0 }),
  plan: (memory) => ({
    items: Array.from({ length: ITEMS }, (_, item) => ({ text: text(memory, item) })),
    actions: memory.done.length < 4 ? [{ tool: 'right' }, { tool: 'wrong' }] : [],
  }),
  verify: () => 'continue',
  answer: ({ done }) => ({ right: done.filter((name) => name === 'right').length, padding: 'x'.repeat(60_000) }),
  reward: (_, answer) => (answer as { right: number }).right / 4,
});
