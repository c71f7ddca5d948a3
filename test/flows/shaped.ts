/** The thermostat of docs/first-flow with all that a shaped reward can use: confirmed steps, a potential, a component. */
import thermostat from '../../docs/first-flow/flow.ts';

const TOLERANCE = 1;

type Memory = Parameters<typeof thermostat.plan>[0];

const distance = (degrees: number, target: number): number => Math.max(0, Math.abs(degrees - target) - TOLERANCE);

export default {
  ...thermostat,
  name: 'shaped-thermostat',
  components: ['comfort'],
  verify: (memory: Memory, outcome: Parameters<typeof thermostat.verify>[1]) =>
    outcome.tool === 'done' ? 'stop' : { next: 'continue', verified: outcome.error === undefined },
  potential: ({ rooms, target }: Memory) => -rooms.reduce((sum, { degrees }) => sum + distance(degrees, target), 0),
  reward: (task: { target: number }, answer: number[]) => {
    const comfortable = answer.filter((degrees) => distance(degrees, task.target) === 0).length;
    return { outcome: comfortable === answer.length ? 1 : 0, components: { comfort: comfortable / answer.length } };
  },
};
