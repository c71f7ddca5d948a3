/** Layout and initial values of a policy's parameters, without loading any tensor library. */
export { initialParameters, parameterCount, parameterLayout } from './planner/layout.ts';
