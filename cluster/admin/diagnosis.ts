import type { Bus } from '../../src/bus/bus.ts';
import type { WeightChannel } from '../../src/weights/weight-channel.ts';
import type { Findings } from './finding.ts';
import { inspectDurables } from './inspect-durables.ts';
import { inspectTopology } from './inspect-topology.ts';
import { inspectValues } from './inspect-values.ts';
import { inspectWeights } from './inspect-weights.ts';
import { removeDamaged } from './remove-damaged.ts';

/** The part of the admin API about durable state that is damaged. */
export interface Diagnosis {
  diagnose(): Promise<Findings>;
  removeDamaged(place: string): Promise<{ value: Uint8Array }>;
}

/** Looks at what lies in JetStream. Reading changes nothing. */
export function diagnosis(bus: Bus, weights: WeightChannel): Diagnosis {
  const diagnose = async (): Promise<Findings> => {
    const topology = await inspectTopology(bus);
    const values = await inspectValues(bus, topology.missing);
    const all = [
      topology,
      values,
      await inspectWeights(weights, values.jobs),
      await inspectDurables(bus, values.jobs, topology.missing),
    ];
    return {
      findings: all.flatMap(({ findings }) => findings),
      checked: all.reduce((sum, { checked }) => sum + checked, 0),
    };
  };
  return {
    diagnose,
    removeDamaged: async (place) => removeDamaged(bus, place, (await diagnose()).findings),
  };
}
