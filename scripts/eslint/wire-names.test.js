import { RuleTester } from 'eslint';
import { describe, it } from 'vitest';
import { wireNames } from './wire-names.js';

RuleTester.describe = describe;
RuleTester.it = it;

new RuleTester().run('wire-names', wireNames, {
  valid: ['bus.purge(ROLLOUTS, rolloutSubject(job))', "set('rollout.groupSize=4')", 'log(`rollout ${id}`)', 'log(`${job}.held`)'],
  invalid: [
    { code: "bus.purge('ROLLOUTS', filter)", errors: [{ messageId: 'name' }] },
    { code: 'bus.publish(`event.${job}.update`, data)', errors: [{ messageId: 'name' }] },
  ],
});
