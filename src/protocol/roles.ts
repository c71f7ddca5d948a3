/** What a node may host. */
export const ROLE_NAMES = ['coordinator', 'parameter-server', 'learner', 'rollout', 'reward', 'store', 'gateway'] as const;
/** One of {@link ROLE_NAMES}. */
export type RoleName = (typeof ROLE_NAMES)[number];

/** In place of the role in the key of a node of several roles, in bucket `nodes`. */
export const SEVERAL_ROLES = 'several';
