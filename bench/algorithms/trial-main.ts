/** A process that runs one trial: the setup as JSON in its argument, the result as one line of JSON on standard output. */
import { runTrial, type TrialSetup } from './trial.ts';

const setup = JSON.parse(process.argv[2] ?? '') as TrialSetup;
const result = await runTrial(setup);
process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0));
