import { z } from 'zod';

/** Components that Millrace computes itself, and what their unweighted value is. */
export const BUILT_IN_COMPONENTS = {
  outcome: "the flow's own reward, at the last step",
  'tool-success': '1 for each step whose tool did not answer with an error',
  verification: "1 for each step that the flow's verify confirmed",
  step: '1 for each step',
  potential: "gamma * potential after the step - potential before it, by the flow's potential; 0 after the last step",
} as const;

/** Name of a component that Millrace computes. */
export type BuiltInComponent = keyof typeof BUILT_IN_COMPONENTS;

/** Components that have a value for each step; the others are worth something at the end only. */
const PER_STEP: ReadonlySet<string> = new Set<BuiltInComponent>(['tool-success', 'verification', 'step', 'potential']);

/** Discount of the potential where a component gives none. */
export const DEFAULT_GAMMA = 0.99;
/** Time limit of one call of a custom reward function where a component gives none. */
export const DEFAULT_REWARD_TIMEOUT_MS = 5000;

const componentSchema = z
  .strictObject({
    name: z
      .string()
      .regex(/^[A-Za-z][A-Za-z0-9_.-]{0,63}$/)
      .describe(
        "outcome, tool-success, verification, step, potential, a name of the flow's `components`, or any name for a module",
      ),
    weight: z.number().min(-1e6).max(1e6).describe("factor of the component's value"),
    gamma: z.number().min(0).max(1).optional().describe(`potential only: discount; ${DEFAULT_GAMMA} when absent`),
    module: z
      .string()
      .min(1)
      .optional()
      .describe('path of a module whose default export is a reward function, relative to the job file'),
    timeoutMs: z
      .int()
      .min(1)
      .max(600_000)
      .optional()
      .describe(`module only: time limit of one call; ${DEFAULT_REWARD_TIMEOUT_MS} when absent`),
  })
  .superRefine((component, context) => {
    const wrong = (key: keyof typeof component, message: string): void =>
      context.addIssue({ code: 'custom', path: [key], input: component[key], message });
    if (component.gamma !== undefined && component.name !== 'potential')
      wrong('gamma', 'no gamma: only the component "potential" is discounted');
    if (component.module === undefined) {
      if (component.timeoutMs !== undefined) wrong('timeoutMs', 'no timeoutMs: only a component with a module has a time limit');
    } else if (isBuiltIn(component.name)) {
      wrong('module', `no module, since "${component.name}" is computed by Millrace: give the module another name`);
    }
  });

/** Block `reward:` of a job: what a trajectory is worth to the training. */
export const rewardSchema = z
  .strictObject({
    shaping: z
      .enum(['none', 'default'])
      .default('none')
      .describe('default: outcome + 0.1 tool-success + 0.05 verification - 0.01 step; components with these names replace them'),
    components: z
      .array(componentSchema)
      .max(32)
      .optional()
      .describe('named components; the reward is their weighted sum; only the outcome when absent'),
    signal: z
      .enum(['outcome', 'reward'])
      .default('outcome')
      .describe(
        'what must differ within a group for it to be trained on; with reward, groups whose members all fail are trained on too',
      ),
  })
  .superRefine(({ shaping, components }, context) => {
    if (components === undefined) return;
    const names = components.map(({ name }) => name);
    names.forEach((name, i) => {
      if (names.indexOf(name) === i) return;
      const message = 'each name once: the value of a component is stored under it';
      context.addIssue({ code: 'custom', path: ['components', i, 'name'], input: name, message });
    });
    if (shaping === 'default' || names.includes('outcome')) return;
    context.addIssue({
      code: 'custom',
      path: ['components'],
      input: components,
      message: 'a list with { name: outcome, weight: 1 } in it, since the outcome is what the flow is for (or shaping: default)',
    });
  })
  .prefault({});

/** Block `reward:` with its defaults filled in. */
export type RewardConfig = z.output<typeof rewardSchema>;
/** One entry of `reward.components`. */
export type RewardComponent = z.output<typeof componentSchema>;

/** What `shaping: default` stands for. */
export const DEFAULT_SHAPING: readonly RewardComponent[] = [
  { name: 'outcome', weight: 1 },
  { name: 'tool-success', weight: 0.1 },
  { name: 'verification', weight: 0.05 },
  { name: 'step', weight: -0.01 },
];

/** The components a reward is the weighted sum of, each name once. */
export function rewardComponents({
  shaping,
  components,
}: Pick<RewardConfig, 'shaping' | 'components'>): readonly RewardComponent[] {
  if (shaping === 'none') return components ?? [{ name: 'outcome', weight: 1 }];
  const own = components ?? [];
  const replaced = (name: string): RewardComponent | undefined => own.find((component) => component.name === name);
  const added = own.filter(({ name }) => !DEFAULT_SHAPING.some((byDefault) => byDefault.name === name));
  return [...DEFAULT_SHAPING.map((byDefault) => replaced(byDefault.name) ?? byDefault), ...added];
}

/** Whether the reward is the outcome and nothing else: then nothing more is computed, sent or stored. */
export function isOutcomeAlone(components: readonly RewardComponent[]): boolean {
  return components.every(({ name, weight }) => name === 'outcome' && weight === 1);
}

/** Whether Millrace computes the component of this name. */
export function isBuiltIn(name: string): name is BuiltInComponent {
  return Object.hasOwn(BUILT_IN_COMPONENTS, name);
}

/** Whether the component has a value for each step. */
export function isPerStep(name: string): boolean {
  return PER_STEP.has(name);
}
