// What the setup says goes to standard error, so that standard output holds only what the command itself prints.

/** Prints one line. */
export function say(line) {
  process.stderr.write(`${line}\n`);
}

/** An error whose message is for people: printed without a stack. */
export class SetupError extends Error {}

/** Runs a command's main function; a SetupError ends the process with code 1 and its message alone. */
export async function main(run) {
  try {
    process.exitCode = await run();
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    say(error.message);
    process.exitCode = 1;
  }
}
