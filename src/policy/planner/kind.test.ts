import { initCompute } from '../../compute/backend.ts';
import { parcelFlow } from '../../flow/fixtures/parcels.ts';
import { flowOutline } from '../../flow/plan.ts';
import { policyKindConformance } from '../conformance/suite.ts';
import { plannerKind } from './kind.ts';

const flow = parcelFlow();
const situations: [string[], number[]][] = [
  [['red box', 'tin'], [1]],
  [['red box', 'tin'], []],
  [['big tin'], []],
  [
    ['a', 'b', 'c'],
    [0, 2],
  ],
];

for (const encoder of ['bag', 'gru'] as const)
  policyKindConformance(`a planner (${encoder})`, {
    kind: plannerKind,
    settings: { buckets: 32, embed: 6, encoder, width: 8, hidden: 7 },
    flow: flowOutline(flow),
    plans: situations.map(([parcels, stamped]) => flow.plan({ parcels, stamped: new Set(stamped), log: [] })),
    prepare: initCompute,
  });
