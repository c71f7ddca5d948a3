import { z } from 'millrace';

const SLOT = /^number(\d+)$/;

/** A word problem: `number0`, `number1` … stand in the question (as words of their own) for the numbers. */
export const problemSchema = z
  .object({
    id: z.string().min(1),
    question: z.string().min(1),
    numbers: z.array(z.number()).min(1).max(12),
    answer: z.number(),
    /** Problems with the same cluster are near-duplicates; filled in when they are loaded. */
    cluster: z.string().optional(),
  })
  .superRefine((problem, context) => {
    const stand = slots(problem.question);
    for (const i of problem.numbers.keys()) {
      if (stand.has(i)) continue;
      context.addIssue({
        code: 'custom',
        path: ['question'],
        message: `number${i} does not stand in the question as a word of its own`,
      });
    }
    for (const i of stand.keys()) {
      if (i < problem.numbers.length) continue;
      context.addIssue({
        code: 'custom',
        path: ['numbers'],
        message: `the question has number${i}, but there are ${problem.numbers.length} numbers`,
      });
    }
  });

/** A word problem. */
export type Problem = z.infer<typeof problemSchema>;

/** The first whitespace-separated word of the question at which each number stands. */
export function slots(question: string): Map<number, number> {
  const stand = new Map<number, number>();
  const words = question.split(/\s+/u).filter((word) => word !== '');
  for (const [at, word] of words.entries()) {
    const index = SLOT.exec(word)?.[1];
    if (index !== undefined && !stand.has(Number(index))) stand.set(Number(index), at);
  }
  return stand;
}

/** Whether a number is the answer: within 1e-4 of it, relative (absolute where the answer is below 1e-3). */
export function matches(value: number, answer: number): boolean {
  return Math.abs(value - answer) <= 1e-4 * Math.max(Math.abs(answer), 1e-3);
}
