/** What a node may host. */
export const ROLE_NAMES = ['coordinator', 'parameter-server', 'learner', 'rollout', 'reward', 'store'] as const;
/** One of {@link ROLE_NAMES}. */
export type RoleName = (typeof ROLE_NAMES)[number];
