import { controlMutations } from './control.ts';
import { foundMutations } from './found.ts';
import { learningMutations } from './learning.ts';
import { moneyMutations } from './money.ts';
import type { Mutation } from './mutation.ts';
import { recordMutations } from './record.ts';
import { workMutations } from './work.ts';

/** Every deliberate mistake that simulation must notice within 2000 seeds. */
export const mutations: readonly Mutation[] = [
  ...controlMutations,
  ...workMutations,
  ...learningMutations,
  ...recordMutations,
  ...moneyMutations,
  ...foundMutations,
];
