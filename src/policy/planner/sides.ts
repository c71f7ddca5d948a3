/** What of planners needs a tensor library. */
export { PlannerActor } from './actor.ts';
export { PlannerLearner } from './learner/learner.ts';
export { createPlanner } from './planner.ts';
