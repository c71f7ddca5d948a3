// What a command line of millrace needs that is not there on a fresh clone.

/** Global options that take a value. */
const WITH_VALUE = new Set(['--address', '--token-file', '--state', '--output', '-o']);
/** Commands that run flows and train in processes of their own. */
const COMPUTING = new Set([
  ...['up', 'train', 'tune', 'eval'],
  ...['cluster up', 'node run', 'job run', 'job tune', 'job estimate', 'checkpoint evaluate'],
]);

/** The first two words of a command line; none where only help or the version is asked for. */
export function wordsOf(args) {
  if (args.some((arg) => ['--help', '-h', '--version', '-V', 'help'].includes(arg))) return [];
  const words = [];
  for (let at = 0; at < args.length && words.length < 2; at += 1) {
    if (WITH_VALUE.has(args[at])) at += 1;
    else if (!args[at].startsWith('-')) words.push(args[at]);
  }
  return words;
}

/** Whether a command line computes: it wants the compiled kernels, and a nats-server. */
export function computes(args) {
  const words = wordsOf(args);
  // `node --roles …` is short for `node run --roles …`.
  const [noun, verb] = words[0] === 'node' && args.includes('--roles') ? ['node', 'run'] : words;
  return COMPUTING.has(noun) || COMPUTING.has(`${noun} ${verb}`);
}
