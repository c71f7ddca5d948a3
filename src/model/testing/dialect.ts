import type { ModelRequest } from '../model.ts';
import type { ScriptedReply } from './script.ts';

/** What a request over HTTP asks. */
export interface DialectRequest {
  request: ModelRequest;
  model: string;
  stream: boolean;
}

/** An event of a stream: its bytes, and whether it is a piece of text or of a call, which the script counts. */
export interface DialectEvent {
  data: string | Uint8Array;
  isPiece: boolean;
}

/** How one kind of provider speaks. */
export interface Dialect {
  /** Whether it answers requests at this path. */
  matches(path: string): boolean;
  /** Type of a stream's body. Default `text/event-stream`. */
  streamType?: string;
  /** @throws Error with what is wrong with the request */
  read(body: unknown, path: string): DialectRequest;
  /** The body of an answer in one piece. */
  answer(reply: ScriptedReply, asked: DialectRequest): unknown;
  /** The events of an answer in pieces. */
  events(reply: ScriptedReply, asked: DialectRequest): Iterable<DialectEvent>;
  /** An event that is no JSON. */
  malformedEvent: string | Uint8Array;
  /** The body of an error. */
  error(status: number, message: string): unknown;
}
