import { existsSync } from 'node:fs';
import { MillraceError } from '../../src/errors.ts';
import type { Logger } from '../../src/telemetry/log.ts';
import { blackBoxFile, takeBlackBox } from '../flow-watch/black-box.ts';
import { keepFilesPrivate, makeStateFolder } from '../infra/state-folder.ts';
import type { NodeHistory } from '../runtime/settings/start.ts';
import type { ClusterNode } from './cluster-node.ts';
import { NodeHost } from './host.ts';

/** Options of {@link runNode}. */
export interface RunOptions extends ClusterNode {
  log: Logger;
  /** Drains the node when aborted. */
  signal: AbortSignal;
  /** How long a drain may take, in ms. */
  drainMs: number;
}

/**
 * Runs a node in this process until it is told to drain. Resolves when the node has ended after a drain; rejects when it could not start, when
 * it cannot go on, and when a drain took longer than it may.
 */
export async function runNode({ settings, missingPassword, log, signal, drainMs }: RunOptions): Promise<void> {
  const { stateDir, id } = settings;
  keepFilesPrivate();
  makeStateFolder(stateDir);
  const blackBox = blackBoxFile(stateDir, id);
  let failure: MillraceError | undefined;
  const code = await new Promise<number>((resolve) => {
    const host = new NodeHost({
      settings,
      history: historyIn(blackBox),
      log,
      exit: resolve,
      onError: (error) => void (failure ??= withAdvice(error, missingPassword)),
      onStep: (step) => log.info({ step }, `starting: ${step}`),
      onTrouble: (text) => log.warn(text),
    });
    const drain = (): void => {
      log.info({ seconds: drainMs / 1000 }, 'draining: finishing what is in hand');
      void host.end(0, drainMs, 1);
    };
    if (signal.aborted) drain();
    else signal.addEventListener('abort', drain, { once: true });
    void host.start();
  });
  // Whoever starts this node next can tell that it did not die at its work.
  takeBlackBox(blackBox);
  if (failure) throw failure;
  if (code !== 0)
    throw new MillraceError(
      'deadline_exceeded',
      `The drain took longer than ${drainMs / 1000} s; what was in hand is done again.`,
    );
}

/** A black box is left by a process that was killed, or has crashed. */
function historyIn(blackBox: string): NodeHistory {
  if (!existsSync(blackBox)) return { afterCrash: false, wasUp: false };
  const last = takeBlackBox(blackBox);
  return {
    afterCrash: true,
    wasUp: false,
    previousEnd: { how: 'nobody saw how', outOfMemory: false, ...(last && { last }) },
  };
}

function withAdvice(error: MillraceError, missingPassword: string | undefined): MillraceError {
  if (error.code !== 'unauthenticated' || missingPassword === undefined) return error;
  const advice = `the settings name no login (nats.user, nats.credsFile, nats.nkeyFile), and ${missingPassword} is not there`;
  return new MillraceError(error.code, `${error.message}; ${advice}`, { cause: error });
}
