import { describeDelivery } from './conformance/delivery.ts';
import { describeDeadLetters } from './conformance/dead-letters.ts';
import type { BusHarness } from './conformance/harness.ts';
import { describeKeyValue } from './conformance/key-value.ts';
import { describeLease } from './conformance/lease.ts';
import { describeRecreation } from './conformance/recreation.ts';
import { describeParts } from './conformance/parts.ts';
import { describeStorage } from './conformance/storage.ts';
import { describeWeights } from './conformance/weights.ts';

export { CONFORMANCE_TOPOLOGY } from './conformance/harness.ts';
export type { BusHarness } from './conformance/harness.ts';

/**
 * What every Bus must do, and the weight channel, messages in parts and the leases upon it. Call it inside a test file with a factory; one
 * harness is made for each group of tests.
 */
export function busConformance(name: string, start: () => Promise<BusHarness>): void {
  describeStorage(name, start);
  describeDelivery(name, start);
  describeDeadLetters(name, start);
  describeKeyValue(name, start);
  describeRecreation(name, start);
  describeWeights(name, start);
  describeParts(name, start);
  describeLease(name, start);
}
