/**
 * Entry of a node process: settings and orders come over the IPC channel of the supervisor. Started by hand there is none: then the
 * settings are in MILLRACE_NODE, and the secrets in the state folder that they name.
 */
import { join } from 'node:path';
import { MillraceError } from '../../src/errors.ts';
import { createLogger } from '../../src/telemetry/log.ts';
import { startNode, type RunningNode } from './node.ts';
import { keepFilesPrivate } from '../infra/state-folder.ts';
import type { FromNode, ToNode } from '../runtime/ipc.ts';
import { checkStart } from '../runtime/settings/start.ts';
import { settingsByHand } from './by-hand.ts';

/** A flow's code gets another one. */
const exit = process.exit.bind(process);
keepFilesPrivate();
const tell = (message: FromNode): Promise<void> =>
  new Promise((done) => (process.connected ? process.send!(message, undefined, undefined, () => done()) : done()));
const { settings, history } = await received();
const log = createLogger({
  name: 'millrace',
  node: settings.id,
  level: settings.logLevel,
  file: join(settings.stateDir, 'logs', `${settings.id}.log`),
});

let node: RunningNode | undefined;
let ending = false;

/** Stops the roles, then the process; by force when they take a second longer than they may. */
async function end(code: number, timeoutMs = 5_000): Promise<void> {
  if (ending) return;
  ending = true;
  setTimeout(() => exit(code), timeoutMs + 1_000).unref();
  await node?.stop(timeoutMs).catch((error: unknown) => log.error({ err: error }, 'stopping failed'));
  log.flush();
  exit(code);
}

async function endOnError(thrown: unknown): Promise<void> {
  const error = MillraceError.from(thrown);
  log.fatal({ err: error }, 'the node cannot continue');
  if (process.send === undefined) process.stderr.write(`${error.message}\n`);
  await tell({ kind: 'error', message: error.message, code: error.code, field: error.field });
  await end(1, 1000);
}

/** Says whose error it was, if a flow's, before the process ends. */
async function endUncaught(thrown: unknown): Promise<void> {
  if (ending) return;
  const said = node
    ?.uncaught(thrown)
    .catch((error: unknown) => log.error({ err: error }, 'nobody could be told whose error it was'));
  await Promise.race([said, new Promise((resolve) => setTimeout(resolve, 2_000))]);
  await endOnError(thrown);
}

process.on('message', (message: ToNode) => {
  if (message.kind === 'stop') void end(0);
  else if (message.kind === 'ping') void tell({ kind: 'pong', rssBytes: process.memoryUsage.rss() });
});
// The supervisor is gone, and where the kernel does not end us for that: nothing may be left running.
process.on('disconnect', () => void end(0, 2000));
// A terminal's Ctrl-C reaches the whole group; the supervisor decides when a node ends.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => void end(0));
process.on('unhandledRejection', (reason) => void endUncaught(reason));
process.on('uncaughtException', (error) => void endUncaught(error));

try {
  node = await startNode({
    settings,
    history,
    log,
    onStep: (step) => void tell({ kind: 'starting', step }),
    onTrouble: (text) => void tell({ kind: 'trouble', text }),
  });
  void node.failed.then(endOnError);
  await tell({ kind: 'ready', address: node.address, clickhousePort: node.clickhousePort });
} catch (error) {
  await endOnError(error);
}

/** What the first message says; those after it wait until somebody listens. Ends the process where it says nothing usable. */
async function received(): Promise<Awaited<ReturnType<typeof checkStart>>> {
  if (process.send === undefined) {
    const settings = await settingsByHand(process.env).catch((thrown: unknown) => {
      process.stderr.write(`${MillraceError.from(thrown).message}\n`);
      return exit(1);
    });
    return { kind: 'start', settings, history: { afterCrash: false, wasUp: false } };
  }
  const message = await new Promise<unknown>((resolve) => {
    process.once('message', resolve);
    process.once('disconnect', () => exit(0));
  });
  if ((message as Partial<ToNode> | null)?.kind === 'stop') exit(0);
  return checkStart(message).catch(async (thrown: unknown) => {
    const { message: text, code, field } = MillraceError.from(thrown);
    await tell({ kind: 'error', message: text, code, field });
    return exit(1);
  });
}
