import { resolve } from 'node:path';
import type { Command } from 'commander';
import { MillraceError } from '../../src/errors.ts';
import type { TlsFiles } from '../../src/identity/tls-files.ts';
import { callAdmin, type AdminClient } from './admin-client.ts';
import { findEndpoint, type Endpoint } from './endpoint.ts';

/** Where text goes: process.stdout is one. */
export interface CliOutput {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  /** Width of the terminal. */
  readonly columns?: number;
}

/** Where text comes from: process.stdin is one. */
export type CliInput = NodeJS.ReadableStream & { readonly isTTY?: boolean };

/** Data goes to stdout, everything else to stderr. */
export interface CliStreams {
  readonly stdout: CliOutput;
  readonly stderr: CliOutput;
}

/** What the command line works with; tests give their own. */
export interface CliEnvironment extends CliStreams {
  /** Default: there is nothing to read, and nobody to ask. */
  readonly stdin?: CliInput;
  env: NodeJS.ProcessEnv;
  cwd: string;
  /** Aborts when the user interrupts. */
  signal: AbortSignal;
}

/** What every command gets: the global options, where to write, and the cluster. */
export interface CliContext extends CliStreams {
  readonly stdin: CliInput | undefined;
  readonly env: NodeJS.ProcessEnv;
  /** Folder that relative paths of the command line are relative to. */
  readonly cwd: string;
  /** Aborts at the first Ctrl-C. Long commands stop what they started and return. */
  readonly signal: AbortSignal;
  /** Whether data is printed as JSON (`-o json`). */
  readonly json: boolean;
  /** Whether stderr is to hold errors alone (`--quiet`). */
  readonly quiet: boolean;
  /** Absolute path of the cluster's state folder: --state, MILLRACE_STATE, MILLRACE_STATE_DIR, else ./.millrace. */
  readonly stateDir: string;
  /** --address, when it was given. */
  readonly address: string | undefined;
  /** What the cluster is called with, where it has TLS. */
  readonly tls: TlsFiles | undefined;
  /** The cluster that this command runs itself; it is called whatever address is given for others. */
  own?: { address: string; token?: string | undefined; tls?: TlsFiles | undefined };
  /** Where the cluster that this command runs itself writes its logs. */
  logs?: string;
  /** Shows the progress line that notes are to stand above. */
  progress?: { note(line: string): void };
  /** What was given as global flags. */
  readonly flags: Readonly<{ state?: string; tokenFile?: string; token?: string }>;
  /** Exit code of a command that ends without an error. Default 0. */
  exitCode: number;
  /** Calls the cluster; errors name where its address came from. */
  withAdmin<T>(use: (admin: AdminClient) => Promise<T>): Promise<T>;
  /** Prints `json` with `-o json`, otherwise `text`; both to stdout. */
  print(json: unknown, text: () => string): void;
  /** One line for people, to stderr; nothing with `--quiet`. */
  note(line: string): void;
  /** One line about how a command does what it does, to stderr; only with `--verbose`. */
  detail(line: string): void;
}

/** Options that every command takes. */
interface GlobalOptions {
  address?: string;
  tokenFile?: string;
  token?: string;
  tlsCa?: string;
  tlsCert?: string;
  tlsKey?: string;
  state?: string;
  output: string;
  quiet?: boolean;
  verbose?: boolean;
}

/** Where text goes that nobody wants. */
const NOWHERE: CliOutput = { write: () => true };

/** The context of one run. Options are read when they are used, since the command line is parsed later. */
export function createCliContext(program: Command, environment: CliEnvironment): CliContext {
  const { stdout, stderr, env, cwd, signal } = environment;
  const options = (): GlobalOptions => program.opts<GlobalOptions>();
  const endpoint = (): Endpoint => {
    if (context.own) return { token: undefined, ...context.own, origin: 'this command' };
    const { address, tokenFile, tlsCa: caFile, tlsCert: certFile, tlsKey: keyFile } = options();
    return findEndpoint({ address, tokenFile, tls: { caFile, certFile, keyFile }, stateDir: context.stateDir, env, cwd });
  };
  const context: CliContext = {
    stdout,
    get stdin() {
      return environment.stdin;
    },
    get stderr() {
      return context.quiet ? NOWHERE : stderr;
    },
    env,
    cwd,
    signal,
    exitCode: 0,
    get flags() {
      return options();
    },
    get json() {
      const { output } = options();
      if (output === 'json' || output === 'table') return output === 'json';
      throw new MillraceError('invalid_argument', `"${output}" is no output format; use json or table.`, { field: '--output' });
    },
    get quiet() {
      return options().quiet === true;
    },
    get address() {
      return options().address;
    },
    get stateDir() {
      return resolve(cwd, options().state ?? (env['MILLRACE_STATE'] || env['MILLRACE_STATE_DIR'] || '.millrace'));
    },
    get tls() {
      return endpoint().tls;
    },
    withAdmin: async (use) => {
      void context.json; // A wrong format is told before anything is done.
      return callAdmin(endpoint(), use, (line) => context.detail(line));
    },
    print: (json, text) => {
      stdout.write(context.json ? `${JSON.stringify(json, null, 2)}\n` : text());
    },
    note: (line) => {
      if (context.progress) context.progress.note(line);
      else context.stderr.write(`${line}\n`);
    },
    detail: (line) => {
      if (options().verbose === true) context.note(line);
    },
  };
  return context;
}
