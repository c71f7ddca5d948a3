import { describeDelivery } from '../bus/conformance/delivery.ts';
import { describeDeadLetters } from '../protocol/conformance/dead-letters.ts';
import type { BusHarness } from '../bus/conformance/harness.ts';
import { describeKeyValue } from '../bus/conformance/key-value.ts';
import { describeLease } from '../protocol/conformance/lease.ts';
import { describeRecreation } from '../bus/conformance/recreation.ts';
import { describeParts } from '../protocol/conformance/parts.ts';
import { describeStorage } from '../bus/conformance/storage.ts';
import { describeWeights } from '../weights/conformance.ts';

export { CONFORMANCE_TOPOLOGY } from '../bus/conformance/harness.ts';
export type { BusHarness } from '../bus/conformance/harness.ts';

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
