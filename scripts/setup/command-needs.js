// What a command line of millrace needs that is not there on a fresh clone.

/** Global options that take a value. */
const WITH_VALUE = new Set(['--address', '--token-file', '--state', '--output', '-o']);
/** Commands that run flows and train in processes of their own. */
const COMPUTING = new Set(['up', 'train', 'tune', 'eval']);

/** The command of a command line; undefined where only help or the version is asked for. */
export function commandOf(args) {
  if (args.some((arg) => ['--help', '-h', '--version', '-V', 'help'].includes(arg))) return undefined;
  for (let at = 0; at < args.length; at += 1) {
    if (WITH_VALUE.has(args[at])) at += 1;
    else if (!args[at].startsWith('-')) return args[at];
  }
  return undefined;
}

/** Whether a command line computes: it wants the compiled kernels, and a nats-server. */
export function computes(args) {
  return COMPUTING.has(commandOf(args));
}
