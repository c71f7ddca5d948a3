import type { ErrorCode } from '../../src/errors.ts';
import type { StartMessage } from './settings/start.ts';

/** Supervisor to node; `start` comes first, and once. */
export type ToNode = StartMessage | { kind: 'stop' } | { kind: 'ping' };

/** Node to supervisor. */
export type FromNode =
  | { kind: 'ready'; address: string; clickhousePort?: number | undefined }
  /** Before `ready`: what it does now. */
  | { kind: 'starting'; step: string }
  | { kind: 'pong'; rssBytes: number }
  /** Something a person must learn, in words; it goes on. */
  | { kind: 'trouble'; text: string }
  /** It cannot go on, and ends. */
  | { kind: 'error'; message: string; code: ErrorCode; field?: string | undefined };
