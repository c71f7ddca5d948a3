import { MillraceError } from '../errors.ts';
import { literal } from './engine.ts';

/** What a connection to the embedded engine offers. */
export interface RawSession {
  /** Runs one or several statements on another thread; resolves when the engine is done. */
  queryAsync(sql: string, options: { format: string }): Promise<RawResult>;
  /** Runs a statement at once, on this thread. */
  query(sql: string, format: string): string;
  close(): void;
}

interface RawResult {
  readonly elapsed: number;
  readonly rowsRead: number;
  readonly bytesRead: number;
  bytes(): Uint8Array;
}

/**
 * Whose statement it is. Questions of the store itself may use every connection. A `guest` comes from outside (HTTP) and a `file`
 * may run for an hour (an export): together they leave a connection free for questions, and files leave half of them to others.
 */
export type StatementKind = 'question' | 'guest' | 'file';

/** One statement for {@link SessionPool.run}. */
export interface Statement {
  sql: string;
  /** Default `question`. */
  kind?: StatementKind;
  /** Output format where the statement names none. Default TabSeparated. */
  format?: string;
  /** The database that names without one are in. Default: the store's. */
  database?: string;
  /** Values for {name:Type} placeholders, as text in ClickHouse's escaped form (`\t`, `\\`, `\N`). */
  parameters?: Readonly<Record<string, string>>;
  /** Settings of the session for this statement alone. Where the statement can have a SETTINGS clause, that is better. */
  settings?: Readonly<Record<string, string>>;
  /** Cancels the statement in the engine, or its wait for a connection. */
  signal?: AbortSignal;
}

/** What a statement printed. */
export interface Printed {
  bytes: Uint8Array;
  /** Rows of the result, or rows written by an INSERT. */
  rows: number;
  /** Their size in the engine's memory. */
  rowBytes: number;
  seconds: number;
}

/** How often a statement that is to end is killed again: it may not have begun when the first KILL came. */
const KILL_EVERY_MS = 100;

/** Statements in a row that may fail while a connection is cleaned. */
const DISCARDS = 10;

/**
 * The embedded engine's connections for questions, one statement each at a time: a statement on a connection waits for the
 * one before it. All are opened at the start, because the engine opens none once its default database is detached.
 *
 * Settings, parameters and the current database belong to the connection in this engine. So parameters are set before each
 * statement (the guard of HTTP makes sure that none is used that was not given), the database is changed when it differs, and
 * settings go into the statement or are taken back after it.
 */
export class SessionPool {
  readonly #idle: PooledSession[];
  readonly #all: readonly PooledSession[];
  readonly #control: RawSession;
  /** For {@link SessionPool.explain}: what is set on it for one statement is in nobody's way. */
  readonly #explaining: PooledSession;
  #explained: Promise<unknown> = Promise.resolve();
  readonly #database: string;
  readonly #waiting: Waiting[] = [];
  readonly #busy: Record<StatementKind, number> = { question: 0, guest: 0, file: 0 };
  readonly #running = new Set<Promise<unknown>>();
  #closed = false;

  /** Opens `size` connections, one more for killing and one for explaining. */
  constructor(open: () => RawSession, options: { size: number; database: string }) {
    this.#database = options.database;
    this.#control = open();
    this.#explaining = new PooledSession(open(), 'millrace-explain');
    this.#all = Array.from({ length: options.size }, (_, i) => new PooledSession(open(), `millrace-${i + 1}`));
    this.#idle = [...this.#all];
  }

  /** How many statements run at once; more wait for their turn. */
  get size(): number {
    return this.#all.length;
  }

  /** Statements that wait for a connection; of one kind, or all. */
  waiting(kind?: StatementKind): number {
    return kind === undefined ? this.#waiting.length : this.#waiting.filter((waiting) => waiting.kind === kind).length;
  }

  /** Gives every connection its tag and the store's database. Once, before the first statement. */
  async prepare(): Promise<void> {
    for (const session of this.#all) {
      await session.raw.queryAsync(`SET log_comment = '${session.tag}'; USE ${this.#database}`, { format: 'Null' });
      session.database = this.#database;
    }
  }

  /** Runs one statement. Rejects with the engine's error, or with `cancelled`; either way the engine is done with it then. */
  async run(statement: Statement): Promise<Printed> {
    if (this.#closed) throw new MillraceError('failed_precondition', 'the store is closed');
    const { kind = 'question' } = statement;
    const session = await this.#take(kind, statement.signal);
    const work = this.#runOn(session, statement).finally(() => this.#give(kind, session));
    this.#running.add(work);
    const done = (): void => void this.#running.delete(work);
    work.then(done, done);
    return work;
  }

  /**
   * Runs one EXPLAIN that computes nothing, in its turn on a connection of its own, and gives what it prints. Not for anything else: it
   * has no limits of time, and nothing ends it.
   */
  explain(sql: string, parameters: Readonly<Record<string, string>> = {}): Promise<string> {
    if (this.#closed) return Promise.reject(new MillraceError('failed_precondition', 'the store is closed'));
    const turn = this.#explained.then(async () => {
      const { raw } = this.#explaining;
      try {
        const before = this.#explaining.preamble('', parameters, {});
        if (before !== '') await raw.queryAsync(before, { format: 'Null' });
        return Buffer.from((await raw.queryAsync(sql, { format: 'TabSeparatedRaw' })).bytes()).toString('utf8');
      } catch (error) {
        await this.#explaining.discard();
        throw error;
      }
    });
    this.#explained = turn.catch(() => {});
    return turn;
  }

  /** Ends what runs and closes all connections. */
  async close(): Promise<void> {
    this.#closed = true;
    while (this.#running.size > 0) {
      for (const session of this.#all) if (!this.#idle.includes(session)) this.#kill(session);
      await Promise.race([Promise.allSettled(this.#running), pause(KILL_EVERY_MS)]);
    }
    await this.#explained;
    for (const session of [...this.#all, this.#explaining]) session.raw.close();
    this.#control.close();
  }

  async #runOn(session: PooledSession, statement: Statement): Promise<Printed> {
    const { signal, settings = {} } = statement;
    let timer: NodeJS.Timeout | undefined;
    const kill = (): void => {
      this.#kill(session);
      timer ??= setInterval(() => this.#kill(session), KILL_EVERY_MS);
    };
    signal?.addEventListener('abort', kill, { once: true });
    try {
      signal?.throwIfAborted();
      const database = statement.database ?? this.#database;
      const before = session.preamble(database, statement.parameters ?? {}, settings);
      session.database = '';
      if (before !== '') await session.raw.queryAsync(before, { format: 'Null' });
      session.database = database;
      signal?.throwIfAborted();
      const result = await session.raw.queryAsync(statement.sql, { format: statement.format ?? 'TabSeparated' });
      return { bytes: result.bytes(), rows: result.rowsRead, rowBytes: result.bytesRead, seconds: result.elapsed };
    } catch (error) {
      clearInterval(timer);
      await session.discard();
      if (signal?.aborted) throw new MillraceError('cancelled', 'query cancelled', { cause: error });
      throw error;
    } finally {
      signal?.removeEventListener('abort', kill);
      clearInterval(timer);
      const names = Object.keys(settings);
      // A name that the engine did not know was not set.
      if (names.length > 0) await session.raw.queryAsync(resetOf(names), { format: 'Null' }).catch(() => {});
    }
  }

  /** Asks the engine to end what this connection runs; at once, for the threads may all be busy with such statements. */
  #kill(session: PooledSession): void {
    try {
      this.#control.query(`KILL QUERY WHERE Settings['log_comment'] = '${session.tag}' ASYNC`, 'Null');
    } catch {
      // The statement ended by itself meanwhile.
    }
  }

  /** In the order in which they came, but for those that have to leave connections to others. */
  #take(kind: StatementKind, signal: AbortSignal | undefined): Promise<PooledSession> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(new MillraceError('cancelled', 'query cancelled'));
      const giveUp = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
        reject(new MillraceError('cancelled', 'query cancelled'));
      };
      const turn = (session: PooledSession): void => {
        signal?.removeEventListener('abort', giveUp);
        resolve(session);
      };
      const waiting = { kind, turn };
      signal?.addEventListener('abort', giveUp, { once: true });
      this.#waiting.push(waiting);
      this.#next();
    });
  }

  #give(kind: StatementKind, session: PooledSession): void {
    this.#busy[kind] -= 1;
    this.#idle.push(session);
    this.#next();
  }

  #next(): void {
    while (this.#idle.length > 0) {
      const at = this.#waiting.findIndex(({ kind }) => this.#mayRun(kind));
      if (at < 0) return;
      const [{ kind, turn }] = this.#waiting.splice(at, 1) as [Waiting];
      this.#busy[kind] += 1;
      turn(this.#idle.pop()!);
    }
  }

  #mayRun(kind: StatementKind): boolean {
    if (kind === 'question') return true;
    const { size } = this;
    const { guest, file } = this.#busy;
    // Of two connections guests may have both: such a pool serves none but in tests.
    if (guest + file >= Math.max(2, size - 1)) return false;
    return kind === 'guest' || file < Math.max(1, Math.floor(size / 2));
  }
}

interface Waiting {
  kind: StatementKind;
  turn: (session: PooledSession) => void;
}

class PooledSession {
  readonly raw: RawSession;
  /** Marks its statements in system.processes. */
  readonly tag: string;
  database = '';

  constructor(raw: RawSession, tag: string) {
    this.raw = raw;
    this.tag = tag;
  }

  /**
   * What a statement had printed when it failed or was killed stays in the connection, and the next answer would begin with it: with
   * rows of somebody else. A statement that prints nothing of its own takes it away.
   */
  async discard(): Promise<void> {
    for (let attempt = 0; attempt < DISCARDS; attempt += 1) {
      const rest = await this.raw.queryAsync('SELECT 1 WHERE 0', { format: 'TabSeparated' }).catch(() => undefined);
      // A KILL that was on its way may have met this one.
      if (rest?.bytes().length === 0) return;
    }
  }

  /** The statements that must come before one with these. */
  preamble(database: string, parameters: Readonly<Record<string, string>>, settings: Readonly<Record<string, string>>): string {
    const sets = [
      ...Object.entries(parameters).map(([name, value]) => `param_${name} = ${literal(value)}`),
      ...Object.entries(settings).map(([name, value]) => `${name} = ${literal(value)}`),
    ];
    const parts = database === this.database ? [] : [`USE \`${database.replaceAll('\\', '\\\\').replaceAll('`', '\\`')}\``];
    if (sets.length > 0) parts.push(`SET ${sets.join(', ')}`);
    return parts.join('; ');
  }
}

const resetOf = (names: readonly string[]): string => names.map((name) => `SET ${name} = DEFAULT`).join('; ');

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** The escaped form in which values of parameters are given. */
export const escapeParameter = (value: string): string => value.replaceAll(/[\\\t\n\r\0]/g, (char) => ESCAPES[char]!);

/** What {@link escapeParameter} was given. */
export const unescapeParameter = (text: string): string =>
  text.replaceAll(/\\([\\tnr0])/g, (_, char: string) => (char === '\\' ? char : { t: '\t', n: '\n', r: '\r', 0: '\0' }[char]!));

const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r', '\0': '\\0' };
