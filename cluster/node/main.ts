/**
 * Entry of a node process: settings and orders come over the IPC channel of whoever started it. Started by hand there is none: then the
 * settings are in MILLRACE_NODE, and the secrets in the state folder that they name.
 */
import { join } from 'node:path';
import { MillraceError } from '../../src/errors.ts';
import { createLogger } from '../../src/telemetry/log.ts';
import type { Identity } from '../infra/nats/access.ts';
import { startNode, type RunningNode } from './node.ts';
import { openCredentials, openNatsPasswords } from '../infra/credentials.ts';
import type { FromNode, NodeSettings, ToNode } from '../runtime/ipc.ts';
import { keepFilesPrivate, makeStateFolder } from '../infra/state-folder.ts';

/** A flow's code gets another one. */
const exit = process.exit.bind(process);
keepFilesPrivate();
const settings = process.send === undefined ? settingsByHand() : await settingsOverIpc();
const log = createLogger({
  name: 'millrace',
  node: settings.id,
  level: settings.logLevel,
  file: join(settings.stateDir, 'logs', `${settings.id}.log`),
});

let node: RunningNode | undefined;
let ending = false;

const tell = (message: FromNode): Promise<void> =>
  new Promise((done) => (process.connected ? process.send!(message, undefined, undefined, () => done()) : done()));

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
  log.fatal({ err: error }, 'node cannot go on');
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
    ...settings,
    log,
    onStep: (step) => void tell({ kind: 'starting', step }),
    onTrouble: (text) => void tell({ kind: 'trouble', text }),
  });
  void node.failed.then(endOnError);
  await tell({ kind: 'ready', address: node.address, clickhousePort: node.clickhousePort });
} catch (error) {
  await endOnError(error);
}

/** The first message; those after it wait until somebody listens. */
function settingsOverIpc(): Promise<NodeSettings> {
  return new Promise((resolve) => {
    process.once('message', (message: ToNode) => {
      if (message.kind === 'start') resolve(message.settings);
      else process.exit(0);
    });
    process.once('disconnect', () => process.exit(0));
  });
}

function settingsByHand(): NodeSettings {
  const given = JSON.parse(process.env['MILLRACE_NODE'] ?? '{}') as NodeSettings;
  // What a flow starts need not know them.
  delete process.env['MILLRACE_NODE'];
  makeStateFolder(given.stateDir);
  const { token, readToken, writeToken } = openCredentials(given.stateDir);
  // A node of several roles needs the rights of all of them.
  const identity: Identity = given.roles.length === 1 ? given.roles[0]! : 'admin';
  const nats = { identity, password: openNatsPasswords(given.stateDir)[identity] };
  // Those of the cluster's own server; one that ran already says in its address who may come in.
  const login = given.natsUrl.includes('@') ? {} : { nats };
  return { token, clickhouseReadToken: readToken, clickhouseWriteToken: writeToken, ...login, ...given };
}
