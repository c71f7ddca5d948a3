import { BUILT_IN_COMPONENTS, isBuiltIn, rewardComponents, type RewardConfig } from '../config/job/reward.ts';
import { MillraceError } from '../errors.ts';
import type { FlowDefinition } from '../flow/define.ts';
import { checkRewardModule } from './custom/custom-reward.ts';
import type { BundledReward } from './custom/protocol.ts';

/**
 * Checks the block `reward` of a job against its flow, when the job is created: every component can be had, and every module
 * exports a function.
 * @param bundled - what is run instead of a module. Default: the module as it lies there now.
 * @throws MillraceError invalid_argument or not_found with the component's field.
 */
export async function checkReward(
  reward: RewardConfig,
  flow: Pick<FlowDefinition<unknown, unknown>, 'name' | 'components' | 'potential'>,
  bundled: (module: string) => BundledReward | undefined = () => undefined,
): Promise<void> {
  checkComponents(reward, flow);
  const modules = (reward.components ?? []).map(({ module }, i) => ({ module, field: `reward.components.${i}.module` }));
  await Promise.all(
    modules.map(async ({ module, field }) => {
      if (module === undefined) return;
      try {
        await checkRewardModule(module, { bundled: bundled(module) });
      } catch (thrown) {
        const { code, message } = MillraceError.from(thrown);
        throw new MillraceError(code, `${field}: ${message}`, { field, cause: thrown });
      }
    }),
  );
}

/**
 * Checks that a flow can give every component that a job weighs.
 * @throws MillraceError invalid_argument with the component's field.
 */
export function checkComponents(
  reward: RewardConfig,
  flow: Pick<FlowDefinition<unknown, unknown>, 'name' | 'components' | 'potential'>,
): void {
  const wrong = (field: string, message: string): never => {
    throw new MillraceError('invalid_argument', `${field}: ${message}`, { field });
  };
  const listed = reward.components ?? [];
  const fieldOf = (name: string): string => {
    const index = listed.findIndex((component) => component.name === name);
    return index < 0 ? 'reward.shaping' : `reward.components.${index}.name`;
  };
  const declared = flow.components ?? [];
  for (const { name, module } of rewardComponents(reward)) {
    const field = fieldOf(name);
    if (declared.includes(name) && (module !== undefined || isBuiltIn(name)))
      wrong(field, `"${name}" is also a component of flow "${flow.name}": one of them needs another name`);
    if (name === 'potential' && flow.potential === undefined)
      wrong(field, `flow "${flow.name}" has no potential: add \`potential: (memory) => …\` to it, or leave the component out`);
    if (module !== undefined || isBuiltIn(name) || declared.includes(name)) continue;
    const known = [...Object.keys(BUILT_IN_COMPONENTS), ...declared].join(', ');
    wrong(
      field,
      `unknown component "${name}"; known with flow "${flow.name}": ${known}. ` +
        'Components that its reward gives are listed in `components` of the flow; a function of your own needs `module`',
    );
  }
}
