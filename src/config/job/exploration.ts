import { z } from 'zod';

const share = (description: string) => z.number().min(0).max(1).describe(description);
const temperature = (description: string) => z.number().min(0.01).max(10).describe(description);

/** Share of a discount: 1 would never forget, which a policy that moves does not allow. */
const decay = (description: string) => z.number().min(0).max(0.9999).describe(description);

/**
 * Block `exploration` of job.yaml: how training flows depart from the policy. Everything is off by default, and what is off costs
 * nothing. Evaluations never explore.
 */
export const explorationSchema = z
  .strictObject({
    temperature: z
      .strictObject({
        schedule: z
          .enum(['constant', 'linear', 'cosine', 'entropy'])
          .default('constant')
          .describe(
            'schedule of the sampling temperature, starting at rollout.temperature: constant, to `final` over the rounds (linear, cosine), or adjusted to keep the entropy at `target`',
          ),
        final: temperature('temperature of the last round; linear and cosine').optional(),
        target: z.number().min(0).max(20).describe('target mean entropy of a decision, in nats; entropy').optional(),
        rate: z
          .number()
          .min(0.0001)
          .max(1)
          .default(0.05)
          .describe('largest relative change of the temperature in a round; entropy'),
        min: temperature('lowest temperature; entropy').default(0.25),
        max: temperature('highest temperature; entropy').default(4),
      })
      .prefault({}),
    forced: z
      .strictObject({
        share: share('share of a group sampled with forced exploration; such members are compared with their like only').default(
          0,
        ),
        mode: z
          .enum(['uniform', 'thompson'])
          .default('uniform')
          .describe('distribution mixed into their policy: uniform over the open actions, or Thompson sampling over tools'),
        epsilon: share('weight of that distribution').default(0.2),
      })
      .prefault({}),
    thompson: z
      .strictObject({
        mix: z.number().min(0).max(0.9).default(0).describe('share of Thompson sampling in the proposal of every training flow'),
      })
      .prefault({}),
    pruning: z
      .strictObject({
        enabled: z
          .boolean()
          .default(false)
          .describe("close a tool whose upper confidence bound in a state bucket is below the best one's lower bound"),
        z: z.number().min(0.1).max(10).default(2.58).describe('normal quantile of the bounds; 2.58 is 99 %'),
        revisit: share('probability that a closed tool is open anyway').default(0.05),
        minVisits: z.number().min(1).max(1e6).default(20).describe('discounted trajectories needed before a bound is used'),
      })
      .prefault({}),
    loops: z
      .enum(['none', 'mask', 'penalise'])
      .default('none')
      .describe('an action already taken in the same situation of a flow: unchanged, closed, or less likely'),
    loopPenalty: z.number().min(0).max(20).default(2).describe('penalty on its log-probability, in nats; loops: penalise'),
    statistics: z.boolean().default(false).describe('keep statistics of (state bucket, tool) even if nothing uses them'),
    buckets: z.int().min(1).max(65_536).default(256).describe('state buckets that states are hashed into'),
    decay: decay('factor applied to the statistics of tools after each round').default(0.95),
    valueRate: z.number().min(0.0001).max(1).default(0.1).describe('step size of the SARSA values of (state bucket, tool)'),
    valueDiscount: share('discount of the SARSA values').default(1),
  })
  .prefault({});

/** Block `curriculum` of job.yaml: which tasks are trained on. Off by default: every task once an epoch. */
export const curriculumSchema = z
  .strictObject({
    enabled: z
      .boolean()
      .default(false)
      .describe('prefer tasks whose groups are likely to have a signal; otherwise every task once per epoch'),
    decay: decay('factor applied to the record of a task after each round').default(0.97),
    floor: z
      .number()
      .min(0.001)
      .max(1)
      .default(0.1)
      .describe('share of the requests spread evenly over all tasks; 1 = no preference'),
    prior: z
      .number()
      .min(0.01)
      .max(10)
      .default(0.3)
      .describe('pseudo-successes and pseudo-failures of an untried task; below 1: its flows are expected to end alike'),
    sharpness: z.number().min(0).max(16).default(1).describe('exponent of the preference; 0 = no preference'),
  })
  .prefault({});

export type ExplorationConfig = z.infer<typeof explorationSchema>;
export type CurriculumConfig = z.infer<typeof curriculumSchema>;

/** The parts of a job's configuration that exploration reads. */
export interface ExplorationJob {
  exploration: ExplorationConfig;
  curriculum: CurriculumConfig;
  rollout: { temperature: number };
  rounds: number;
}

/** Says what does not go together in the two blocks. */
export function checkExploration(
  { exploration, rollout }: ExplorationJob,
  wrong: (path: string[], got: unknown, message: string) => void,
): void {
  const { schedule, final, target, min, max } = exploration.temperature;
  const at = (key: string): string[] => ['exploration', 'temperature', key];
  if ((schedule === 'linear' || schedule === 'cosine') && final === undefined)
    wrong(at('final'), final, `a temperature, since schedule ${schedule} must know where to go`);
  if (schedule !== 'linear' && schedule !== 'cosine' && final !== undefined)
    wrong(at('final'), final, `absent with schedule ${schedule}, which does not use it`);
  if (schedule === 'entropy' && target === undefined)
    wrong(at('target'), target, 'an entropy in nats, since schedule entropy must know what to hold');
  if (schedule !== 'entropy' && target !== undefined)
    wrong(at('target'), target, `absent with schedule ${schedule}, which does not use it`);
  if (schedule === 'entropy' && !(min <= rollout.temperature && rollout.temperature <= max))
    wrong(at('min'), min, `such that rollout.temperature ${rollout.temperature} lies between min and max ${max}`);
  if (exploration.forced.share > 0 && exploration.forced.epsilon === 1)
    wrong(['exploration', 'forced', 'epsilon'], 1, 'below 1, so that every action the policy may take can be taken');
}

/** Statistics of (state bucket, tool) are used or asked for. */
export function keepsArms({
  exploration: { statistics, thompson, pruning, forced },
}: Pick<ExplorationJob, 'exploration'>): boolean {
  return statistics || thompson.mix > 0 || pruning.enabled || (forced.share > 0 && forced.mode === 'thompson');
}

/** Something of the job needs an exploration state to travel with the weights. */
export function keepsState(job: Pick<ExplorationJob, 'exploration' | 'curriculum'>): boolean {
  return keepsArms(job) || job.curriculum.enabled || job.exploration.temperature.schedule === 'entropy';
}

/** Training flows do something else than follow the policy, or count what they do. */
export function explores(exploration: ExplorationConfig): boolean {
  return keepsArms({ exploration }) || exploration.forced.share > 0 || exploration.loops !== 'none';
}
