/** What {@link main} works with; tests give their own. */
export interface CliEnvironment extends CliStreams {
  env: NodeJS.ProcessEnv;
  cwd: string;
  /** Aborts when the user interrupts. */
  signal: AbortSignal;
}

/** Where text goes: process.stdout is one. */
export interface CliOutput {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  /** Width of the terminal. */
  readonly columns?: number;
}

/** Data goes to stdout, everything else to stderr. */
export interface CliStreams {
  readonly stdout: CliOutput;
  readonly stderr: CliOutput;
}
