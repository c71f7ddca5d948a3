import { parseArgs } from 'node:util';
import { SetupError } from '../setup/say.js';

/** Versions of Node.js that `nodes` runs on. */
const VERSIONS = ['22', '24', '26'];
const MINUTES = 5;

/**
 * Reads the command line of npm run test:long.
 *
 * @param args - without node and the script
 * @param known - names of the tiers
 * @returns names to run, whether a skip is a failure, versions for `nodes`, minutes of kills for `chaos`
 * @throws SetupError with the usage
 */
export function argumentsOf(args, known) {
  const usage = `usage: npm run test:long -- ${known.join('|')}|all ... [--require] [--node VERSION] [--minutes N]`;
  const refuse = (problem) => new SetupError(`${problem}\n${usage}`);
  const { values, positionals } = parsed(args, refuse);
  if (positionals.length === 0) throw refuse('name at least one tier');
  for (const name of positionals) if (name !== 'all' && !known.includes(name)) throw refuse(`there is no tier "${name}"`);
  const versions = values.node ?? VERSIONS;
  for (const version of versions)
    if (!/^\d+(\.\d+)*$/.test(version)) throw refuse(`--node: "${version}" is no version; example: 24`);
  const minutes = Number(values.minutes ?? MINUTES);
  if (!(minutes > 0 && minutes <= 24 * 60)) throw refuse(`--minutes: "${values.minutes}" is not a number above 0, at most 1440`);
  const names = positionals.includes('all') ? [...known] : [...new Set(positionals)];
  return { names, required: values.require ?? false, versions, minutes };
}

function parsed(args, refuse) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: { require: { type: 'boolean' }, node: { type: 'string', multiple: true }, minutes: { type: 'string' } },
    });
  } catch (error) {
    throw refuse(error.message);
  }
}
