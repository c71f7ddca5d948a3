/** What of language models needs a tensor library. */
export { LlamaActor } from './actor.ts';
export { baseOf, loadBase } from './base.ts';
export { LlamaLearner } from './learner.ts';
