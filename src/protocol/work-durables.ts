import type { ConsumeOptions } from '../bus/bus.ts';

/** A lost worker's requests and groups are given to another after this long. */
const ACK_WAIT_MS = 10_000;

/** Requests, worked off by whichever rollout worker is free. */
export const ROLLOUT_WORK = {
  stream: 'ROLLOUTS',
  durable: 'rollout',
  filter: 'rollout.>',
  maxAckPending: 10_000,
  ackWaitMs: ACK_WAIT_MS,
} as const satisfies ConsumeOptions;

/** Groups, worked off by whichever reward worker is free. */
export const REWARD_WORK = {
  stream: 'GROUPS',
  durable: 'reward',
  filter: 'group.>',
  maxAckPending: 10_000,
  ackWaitMs: ACK_WAIT_MS,
} as const satisfies ConsumeOptions;

/** Made by the nodes that may: workers may not. */
export const WORK_DURABLES: readonly ConsumeOptions[] = [ROLLOUT_WORK, REWARD_WORK];
