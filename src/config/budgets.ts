import { z } from 'zod';

const dollars = z.number().min(0).max(1_000_000_000);
const price = (what: string) => z.number().min(0).max(1_000_000).describe(what);
const name = (what: string) => z.string().min(1).max(200).describe(what);

/** What tokens of a model cost. */
export const modelPrice = z.strictObject({
  inputPerMillion: price('US dollars for a million tokens that the model reads'),
  outputPerMillion: price('US dollars for a million tokens that it writes'),
});

/** Setting `budgets` of a cluster: what each owner's jobs may spend in a calendar month (UTC). */
export const budgetsSchema = z
  .strictObject({
    monthlyDollars: dollars.default(100).describe('US dollars that the jobs of an owner may spend in a calendar month (UTC)'),
    owners: z
      .record(z.string().regex(/^[a-z0-9._@-]{1,64}$/), dollars)
      .default({})
      .describe('the same for single owners, by name; `millrace budget set` goes before both'),
  })
  .prefault({});

/** Setting `prices` of a cluster: what calls cost that do not say it themselves. */
export const pricesSchema = z
  .strictObject({
    models: z
      .record(name('model'), modelPrice)
      .default({})
      .describe('US dollars for a million tokens of a model, by its name: {inputPerMillion, outputPerMillion}'),
    tools: z
      .record(name('tool'), price('US dollars for a call'))
      .default({})
      .describe('US dollars for a call of a tool, by its name'),
  })
  .prefault({});

/** Setting `budget` of a job; what is absent is not limited. */
export const jobBudgetSchema = z.strictObject({
  dollars: dollars.optional().describe('US dollars that the job may spend; not limited when absent'),
  tokens: z.int().min(0).optional().describe('tokens of language models that it may use; not limited when absent'),
  trajectories: z
    .int()
    .min(0)
    .optional()
    .describe('trajectories that it may sample, evaluations included; not limited when absent'),
  wallTime: z
    .string()
    .regex(/^[1-9]\d{0,5}[smhdw]$/, 'expected a time like 90m, 12h or 7d')
    .optional()
    .describe('how long it may run, pauses not counted; a time like 90m, 12h or 7d; not limited when absent'),
});

/** What a job may spend at most. */
export type JobBudgetConfig = z.infer<typeof jobBudgetSchema>;
