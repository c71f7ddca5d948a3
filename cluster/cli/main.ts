import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command, CommanderError, Option } from 'commander';
import { MillraceError } from '../../src/errors.ts';
import { PACKAGE_FOLDER } from '../../src/installation.ts';
import type { CliContext, CliEnvironment } from './context.ts';
import { createCliContext } from './context.ts';
import { exitCodeOf, EXIT, reportError } from './errors.ts';
import { COMPLETE } from './completion/scripts.ts';
import { addExamples } from './examples.ts';
import { register as actor } from './commands/actor.ts';
import { register as budget } from './commands/budget.ts';
import { register as adapter } from './commands/adapter.ts';
import { register as agent } from './commands/agent.ts';
import { register as checkpoint } from './commands/checkpoint.ts';
import { register as cluster } from './commands/cluster.ts';
import { register as completion } from './commands/completion.ts';
import { register as config } from './commands/config.ts';
import { register as credential } from './commands/credential.ts';
import { register as dlq } from './commands/dlq.ts';
import { register as doctor } from './commands/doctor.ts';
import { register as evaluate } from './commands/eval.ts';
import { register as experiment } from './commands/experiment.ts';
import { register as exportCommand } from './commands/export.ts';
import { register as importCommand } from './commands/import.ts';
import { register as joinCluster } from './commands/join.ts';
import { register as job } from './commands/job.ts';
import { register as node } from './commands/node.ts';
import { register as models } from './commands/models.ts';
import { register as openWorkbench } from './commands/open.ts';
import { register as report } from './commands/job/report.ts';
import { register as runFlow } from './commands/run.ts';
import { register as query } from './commands/query.ts';
import { register as schedule } from './commands/schedule.ts';
import { register as sql } from './commands/sql.ts';
import { register as store } from './commands/store.ts';
import { register as train } from './commands/train.ts';
import { register as session } from './commands/session.ts';
import { register as trajectory } from './commands/trajectory.ts';
import { register as tune } from './commands/tune.ts';
import { register as up } from './commands/up.ts';

/** One file per command. They import what they need when they run, so that `--help` and errors come at once. */
const COMMANDS: readonly ((program: Command, context: CliContext) => void)[] = [
  up,
  joinCluster,
  openWorkbench,
  runFlow,
  train,
  tune,
  evaluate,
  report,
  job,
  schedule,
  budget,
  node,
  actor,
  agent,
  models,
  adapter,
  experiment,
  sql,
  query,
  store,
  exportCommand,
  importCommand,
  dlq,
  doctor,
  config,
  cluster,
  credential,
  checkpoint,
  trajectory,
  session,
  completion,
];

/** Verbs for newcomers, and the command of a noun that each is short for. */
export const SHORTCUTS: Readonly<Record<string, string>> = {
  up: 'cluster up',
  join: 'cluster join',
  open: 'cluster open',
  doctor: 'cluster check',
  run: 'agent run',
  train: 'job run',
  tune: 'job tune',
  eval: 'checkpoint evaluate',
  report: 'job report',
  sql: 'store sql',
  query: 'store query',
  export: 'trajectory export',
  import: 'trajectory import',
};

const EXIT_HELP = `
Exit codes: ${EXIT.ok} done, ${EXIT.failure} failed, ${EXIT.usage} wrong usage or invalid argument, ${EXIT.notFound} not found, ${EXIT.unavailable} cluster unavailable, ${EXIT.interrupted} interrupted.
Environment: MILLRACE_ADDRESS, MILLRACE_TOKEN, MILLRACE_TOKEN_FILE, MILLRACE_JOIN_TOKEN, MILLRACE_TLS_CA, MILLRACE_TLS_CERT, MILLRACE_TLS_KEY, MILLRACE_STATE, MILLRACE_OWNER; NO_COLOR; MILLRACE_DEBUG=1 shows where an error comes from.`;

/** Runs one command line (without "node" and the script) and returns the exit code. Never throws. */
export async function main(args: readonly string[], environment: CliEnvironment): Promise<number> {
  const { stderr } = environment;
  const json = wantsJson(args);
  const { program, context } = createProgram(environment, json);
  if (args[0] === COMPLETE) {
    const { answerCompletion } = await import('./completion/answer.ts');
    await answerCompletion(program, args.slice(1), context);
    return EXIT.ok;
  }
  try {
    if (args.length === 0) {
      stderr.write(program.helpInformation());
      return EXIT.usage;
    }
    program.hook('preAction', (_, action) => {
      checkLoudness(program);
      checkToken(program, action);
    });
    await program.parseAsync(args, { from: 'user' });
    return context.exitCode;
  } catch (thrown) {
    const verbose = program.opts<{ verbose?: boolean }>().verbose === true;
    const setting = { env: environment.env, logs: context.logs, json, verbose };
    if (thrown instanceof CommanderError) {
      // As text commander has printed it already.
      if (thrown.exitCode !== 0 && json) reportError(usageError(thrown), stderr, setting);
      return thrown.exitCode === 0 ? EXIT.ok : EXIT.usage;
    }
    const error = environment.signal.aborted ? new MillraceError('cancelled', 'Interrupted.') : MillraceError.from(thrown);
    reportError(error, stderr, setting);
    return environment.signal.aborted ? EXIT.interrupted : exitCodeOf(error);
  }
}

/** The tree of all commands, and the context that they run in. `json`: errors of usage are not printed as text. */
export function createProgram(environment: CliEnvironment, json = false): { program: Command; context: CliContext } {
  const { stdout, stderr } = environment;
  const program = new Command('millrace');
  program
    .description('Train agent policies from the flows they run.')
    .version(version())
    .option('--address <host:port>', 'admin API of the cluster (default: the cluster whose state folder this is)')
    .option(
      '--token-file <file>',
      'file with the bearer token of the admin API (default: of the cluster whose state folder this is)',
    )
    .option('--tls-ca <file>', 'PEM file of the authority of the cluster, where it has TLS')
    .option('--tls-cert <file>', 'PEM file of a certificate of role admin')
    .option('--tls-key <file>', 'PEM file of its key')
    .addOption(new Option('--token <token>').hideHelp().argParser(refuseToken))
    .option('--state <folder>', 'state folder of the cluster (default: ./.millrace)')
    .option('-o, --output <format>', 'json or table; with json errors are JSON too, as the last line of stderr', 'table')
    .option('-q, --quiet', 'only errors on stderr')
    .option('-v, --verbose', 'print details on stderr; errors include their stack')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => stdout.write(text),
      // As JSON an error is written where it is caught.
      writeErr: (text) => void (json || stderr.write(text)),
      outputError: (text, write) => write(text),
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .configureHelp({ showGlobalOptions: true })
    .showHelpAfterError(json ? false : RUN_HELP)
    .addHelpText('after', EXIT_HELP);
  const context = createCliContext(program, environment);
  for (const register of COMMANDS) register(program, context);
  addExamples(program);
  for (const command of program.commands)
    if (Object.hasOwn(SHORTCUTS, command.name())) command.helpGroup('Shortcuts, each also a command of a noun:');
  return { program, context };
}

const RUN_HELP = 'Run with --help to see what there is.';

/** Whether errors are to be JSON; known before the command line is parsed, which may be what fails. */
function wantsJson(args: readonly string[]): boolean {
  return args.some(
    (arg, i) => /^(-o=?json|--output=json)$/.test(arg) || (arg === 'json' && /^(-o|--output)$/.test(args[i - 1] ?? '')),
  );
}

/** What commander says of a command line that it does not understand; asked for help without a command, it only says "(outputHelp)". */
function usageError({ code, message }: CommanderError): MillraceError {
  const said = code === 'commander.help' ? 'a command is missing' : message.replace(/^error: /, '');
  return new MillraceError('invalid_argument', `${said}. ${RUN_HELP}`);
}

function checkLoudness(program: Command): void {
  const { quiet, verbose } = program.opts<{ quiet?: boolean; verbose?: boolean }>();
  if (quiet && verbose)
    throw new MillraceError('invalid_argument', 'Give --quiet or --verbose, not both.', { field: '--verbose' });
}

function refuseToken(given: string): string {
  if (given === '-') return given;
  const why = 'every account of this machine can read the arguments of a process';
  throw new MillraceError(
    'invalid_argument',
    `--token: ${why}; give --token-file FILE, or set MILLRACE_TOKEN (join: --token - reads standard input, or MILLRACE_JOIN_TOKEN).`,
  );
}

/** Standard input is for one command alone. */
function checkToken(program: Command, action: Command): void {
  if (program.opts<{ token?: string }>().token !== undefined && action.name() !== 'join') refuseToken('');
}

/** Signals this close to the first one are the same interrupt. */
const SAME_INTERRUPT_MS = 1000;

/** Runs the command line of this process. The first Ctrl-C asks the command to end, the second one ends it. */
export async function run(): Promise<void> {
  // The code of flows gets another one.
  const exit = process.exit.bind(process);
  const interrupted = new AbortController();
  let interruptedAt = 0;
  const onSignal = (): void => {
    // One Ctrl-C may come twice: from the terminal, to the whole process group, and passed on by npm.
    const again = interrupted.signal.aborted && performance.now() - interruptedAt > SAME_INTERRUPT_MS;
    if (again) exit(EXIT.interrupted);
    if (!interrupted.signal.aborted) interruptedAt = performance.now();
    interrupted.abort();
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  // The reader of a pipe has seen enough (`millrace sql … | head`).
  process.stdout.on('error', (error: NodeJS.ErrnoException) => exit(error.code === 'EPIPE' ? EXIT.ok : EXIT.failure));
  const { env, stdout, stderr } = process;
  const environment: CliEnvironment = {
    ...{ env, stdout, stderr, cwd: process.cwd(), signal: interrupted.signal },
    // Opened when something is read from it.
    get stdin() {
      return process.stdin;
    },
  };
  const code = await main(process.argv.slice(2), environment);
  process.off('SIGINT', onSignal);
  process.off('SIGTERM', onSignal);
  process.exitCode = code;
}

function version(): string {
  const manifest = JSON.parse(readFileSync(join(PACKAGE_FOLDER, 'package.json'), 'utf8')) as { version: string };
  return manifest.version;
}
