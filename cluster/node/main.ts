/** Entry of a node process of `millrace up`: settings and orders come over the IPC channel of the supervisor. */
import { join } from 'node:path';
import { MillraceError } from '../../src/errors.ts';
import { createLogger } from '../../src/telemetry/log.ts';
import { keepFilesPrivate } from '../infra/state-folder.ts';
import type { FromNode, ToNode } from '../runtime/ipc.ts';
import { checkStart } from '../runtime/settings/start.ts';
import { NodeHost } from './host.ts';

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

const host = new NodeHost({
  settings,
  history,
  log,
  exit,
  onError: ({ message, code, field }) => tell({ kind: 'error', message, code, field }),
  onStep: (step) => void tell({ kind: 'starting', step }),
  onTrouble: (text) => void tell({ kind: 'trouble', text }),
});

process.on('message', (message: ToNode) => {
  if (message.kind === 'stop') void host.end(0);
  else if (message.kind === 'ping') void tell({ kind: 'pong', rssBytes: process.memoryUsage.rss() });
});
// The supervisor is gone, and where the kernel does not end us for that: nothing may be left running.
process.on('disconnect', () => void host.end(0, 2000));
// A terminal's Ctrl-C reaches the whole group; the supervisor decides when a node ends.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => void host.end(0));

const node = await host.start();
if (node) await tell({ kind: 'ready', address: node.address, clickhousePort: node.clickhousePort });

/** What the first message says; those after it wait until somebody listens. Ends the process where it says nothing usable. */
async function received(): Promise<Awaited<ReturnType<typeof checkStart>>> {
  if (process.send === undefined) {
    process.stderr.write('This is a part of `millrace up`; start a node by itself with `millrace node run`.\n');
    return exit(2);
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
