import type { Scenario } from '../scenario.ts';

/** Training step and forward pass of the three policies on each backend, beside PyTorch on the same core. */
export const compute: Scenario = {
  name: 'compute',
  summary: 'training step and forward pass of the policies on each backend beside PyTorch on the same core',
  configure(command) {
    command.option('--json <file>', 'also write the rows to this file');
  },
  async run(_options, context) {
    context.print('compute');
    return 0;
  },
};
