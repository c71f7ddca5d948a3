import { z } from 'zod';
import { OWNER_PATTERN } from './owner.ts';

const jobs = z.int().min(1).max(10_000);

/** What an owner may have of the cluster. */
const ownerSchema = z.strictObject({
  weight: z.number().min(0.01).max(1000).default(1).describe('share of the cluster, relative to that of other owners'),
  maxRunning: jobs.optional().describe('jobs of the owner that run at the same time; no limit of its own when absent'),
});

/** Which jobs run at the same time, and whose. */
export const schedulerSchema = z.strictObject({
  maxRunning: z
    .union([jobs, z.literal('auto')])
    .default('auto')
    .describe('jobs that run at the same time; auto = 25 for each group that the rollout workers run at once, at least 100'),
  minRunSeconds: z
    .int()
    .min(0)
    .max(86_400)
    .default(60)
    .describe('time that a job runs before one of a higher priority, or of an owner below its share, takes its place'),
  owners: z
    .record(z.string().regex(OWNER_PATTERN), ownerSchema)
    .default({})
    .describe('by the name of an owner: `weight` (0.01 to 1000, default 1) and `maxRunning` (jobs at the same time)'),
});

/** Settings of the scheduler with all defaults filled in. */
export type SchedulerConfig = z.infer<typeof schedulerSchema>;
