import { createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { literal } from '../engine.ts';
import type { Printed, SessionPool } from '../sessions.ts';
import type { SqlJudge } from '../sql/judge.ts';
import { sqlTokens } from '../sql/lexer.ts';
import { assertGranted, auditRefusal } from './audit.ts';
import type { Asker, Audit, Where } from './audit.ts';
import { ClickHouseException, asException, exception } from './exception.ts';
import type { EngineFacts } from './facts.ts';
import { nativeHello } from './native-hello.ts';
import { statementText } from './request.ts';
import type { HttpQuery } from './request.ts';
import { conditionAsSelect } from './filters.ts';
import { isAllowedFormat } from './formats.ts';
import { checkOwnSettings, checkSettings } from './settings.ts';
import type { SettingBounds } from './settings.ts';
import type { Spool, SpoolFile } from './spool.ts';
import { changingVerb, parseInsertHead, parseStatement, refusedAs } from './statement.ts';
import type { InsertStatement, ReadStatement, WriteStatement } from './statement.ts';

/** Bounds of one query. */
export interface QueryLimits {
  /** Bytes a query may use. */
  maxMemoryBytes: number;
  /** Seconds a query may run unless its settings say otherwise. */
  maxSeconds: number;
  /** Seconds that its settings may ask for. */
  maxSecondsAsked: number;
  /** Threads of one query. */
  threads: number;
  /** Bytes of one result. */
  maxResultBytes: number;
}

/** What statements run with. */
export interface Executor {
  sessions: SessionPool;
  judge: SqlJudge;
  /** Told of every statement that changes more than it adds rows, before it runs, and of every one that is refused. */
  audit: Audit;
  facts: EngineFacts;
  spool: Spool;
  limits: QueryLimits;
  /** The store's database. */
  database: string;
}

/** A statement that runs. */
export interface StatementRun {
  format: string;
  /** Where its result appears. */
  file: SpoolFile;
  /** Settles when the engine is done; rejects with a ClickHouse exception. */
  done: Promise<Printed>;
  /** Rows were written rather than read. */
  writes: boolean;
}

/** Starts a statement. Throws when it cannot be one, or is not allowed. */
export async function startStatement(
  executor: Executor,
  request: HttpQuery,
  who: Asker,
  signal: AbortSignal,
): Promise<StatementRun> {
  const head = request.head.toString('latin1');
  try {
    return await start(executor, request, who, { head, signal });
  } catch (error) {
    auditRefusal(executor.audit, error, { user: who.user, peer: who.peer, queryId: request.queryId, verb: changingVerb(head) });
    throw error;
  }
}

async function start(
  executor: Executor,
  request: HttpQuery,
  who: Asker,
  { head, signal }: { head: string; signal: AbortSignal },
): Promise<StatementRun> {
  const insert = parseInsertHead(head, who.mayWrite);
  if (insert) {
    refuseGet(who.method);
    return startInsert(executor, request, { statement: insert, who, signal });
  }
  const text = await statementText(request);
  const hello = nativeHello(text, request.revision, executor.facts);
  if (hello && request.defaultFormat === 'Native') {
    const file = executor.spool.file();
    const done = file.write(hello).then(() => ({ bytes: hello, rows: 1, rowBytes: hello.length, seconds: 0 }));
    return { format: 'Native', file, writes: false, done };
  }
  const statement = parseStatement(text, who.mayWrite);
  checkPlaceholders(statement.placeholders, request.parameters);
  if (statement.kind === 'read') return startRead(executor, request, { statement, mayWrite: who.mayWrite, signal });
  refuseGet(who.method);
  return startWrite(executor, request, { statement, who, signal });
}

async function startRead(
  executor: Executor,
  request: HttpQuery,
  { statement, mayWrite, signal }: { statement: ReadStatement; mayWrite: boolean; signal: AbortSignal },
): Promise<StatementRun> {
  const { limits, facts, spool } = executor;
  const format = statement.format ?? request.defaultFormat ?? 'TabSeparated';
  if (!facts.formats.has(format) || !isAllowedFormat(format))
    throw exception('UNKNOWN_FORMAT', `Unknown format ${JSON.stringify(format.slice(0, 40)).slice(1, -1)}.`);
  const bounds: SettingBounds = {
    max_execution_time: limits.maxSecondsAsked,
    max_memory_usage: limits.maxMemoryBytes,
    max_threads: limits.threads,
  };
  const given = [...request.settings, ...statement.settings];
  const { settings: asked, conditions } = checkSettings(given, { known: facts.settings, bounds, mayWrite });
  const where = scope(executor, request, statement.placeholders);
  await assertHarmless(executor.judge, statement, where);
  await assertHarmlessFilters(executor.judge, conditions, where);
  const settings: Record<string, string> = {
    // Redelivered rows that no merge has collapsed yet are not counted twice.
    final: '1',
    max_execution_time: String(limits.maxSeconds),
    max_memory_usage: String(limits.maxMemoryBytes),
    max_threads: String(limits.threads),
    // Its buffers are many times those of one thread.
    output_format_parallel_formatting: '0',
    ...asked,
  };
  const clause = Object.entries(settings).map(([name, value]) => `, ${name} = ${literal(value)}`);
  const file = spool.file();
  if (statement.verb === 'explain') {
    // What it explains would have our clauses in it; and what it prints is short.
    const run = executor.sessions.run({ sql: statement.sql, format, ...where, settings, signal });
    return {
      format,
      file,
      writes: false,
      done: described(
        run.then(async (printed) => (await file.write(printed.bytes), printed)),
        file,
      ),
    };
  }
  const sql = `${statement.sql}\nINTO OUTFILE ${literal(file.path)} FORMAT ${format}\nSETTINGS readonly = 1${clause.join('')}`;
  const run = bounded(file, limits.maxResultBytes, signal, (bound) =>
    executor.sessions.run({ sql, format, ...where, signal: bound }).then(async (printed) => {
      // An engine that printed nothing into the file printed here.
      if ((await file.size()) === undefined) await file.write(printed.bytes);
      return printed;
    }),
  );
  return { format, file, writes: false, done: described(run, file) };
}

/** Throws unless everything in a statement that reads is known to be harmless. */
async function assertHarmless(judge: SqlJudge, { sql, tokens }: ReadStatement, where: Where): Promise<void> {
  const refused = await judge.read(sql, tokens, where);
  if (refused) throw refusedAs(refused, sql);
}

/** The same for SQL in the values of settings: the engine puts it into whatever is read, also by a statement that writes. */
async function assertHarmlessFilters(judge: SqlJudge, conditions: readonly string[], { database }: Where): Promise<void> {
  for (const condition of conditions) {
    const refused = await judge.select(conditionAsSelect(condition), { database });
    if (refused) throw refusedAs(refused, condition);
  }
}

async function startInsert(
  executor: Executor,
  request: HttpQuery,
  { statement, who, signal }: { statement: InsertStatement; who: Asker; signal: AbortSignal },
): Promise<StatementRun> {
  checkPlaceholders(statement.placeholders, request.parameters);
  if (!isAllowedFormat(statement.format))
    throw exception('UNKNOWN_FORMAT', `Unknown format ${JSON.stringify(statement.format.slice(0, 40)).slice(1, -1)}.`);
  const where = scope(executor, request, statement.placeholders);
  // Its rows are data; what stands before them is judged as if they were one.
  const sql = `${statement.sql} VALUES (1)`;
  await assertGranted(executor, request, { sql, tokens: sqlTokens(sql), who, where });
  const rules = { known: executor.facts.settings, bounds: {}, mayWrite: true };
  const checked = checkSettings([...request.settings, ...statement.settings], rules);
  await assertHarmlessFilters(executor.judge, checked.conditions, where);
  const settings: Record<string, string> = {
    ...checked.settings,
    // An acknowledged insert is a written insert; and what is in the data is no expression.
    async_insert: '0',
    input_format_values_interpret_expressions: '0',
  };
  const { spool } = executor;
  const [rows, file] = [spool.file(), spool.file()];
  try {
    await pipeline(data(request, statement.dataAt), createWriteStream(rows.path, { mode: 0o600 }));
    const empty = (await rows.size()) === 0;
    const clause = Object.entries(settings).map(([name, value]) => `${name} = ${literal(value)}`);
    const insert = `${statement.sql} FROM INFILE ${literal(rows.path)} SETTINGS ${clause.join(', ')} FORMAT ${statement.format}`;
    const run = empty
      ? Promise.resolve({ bytes: new Uint8Array(0), rows: 0, rowBytes: 0, seconds: 0 })
      : executor.sessions.run({ sql: insert, ...where, signal });
    const done = described(run, rows).finally(() => rows.remove());
    return { format: 'TabSeparated', file, writes: true, done };
  } catch (error) {
    await rows.remove();
    throw error;
  }
}

async function startWrite(
  executor: Executor,
  request: HttpQuery,
  { statement, who, signal }: { statement: WriteStatement; who: Asker; signal: AbortSignal },
): Promise<StatementRun> {
  checkOwnSettings(statement.settings);
  const rules = { known: executor.facts.settings, bounds: {}, mayWrite: true };
  const { settings, conditions } = checkSettings(request.settings, rules);
  const where = scope(executor, request, statement.placeholders);
  await assertHarmlessFilters(executor.judge, conditions, where);
  await assertGranted(executor, request, { ...statement, who, where });
  const file = executor.spool.file();
  const run = executor.sessions.run({ sql: statement.sql, ...where, settings, signal });
  return { format: 'TabSeparated', file, writes: true, done: described(run, file) };
}

async function* data(request: HttpQuery, from: number): AsyncGenerator<Buffer> {
  if (from < request.head.length) yield request.head.subarray(from);
  yield* request.rest;
}

function scope(executor: Executor, request: HttpQuery, placeholders: readonly string[]): Where {
  const { database } = request;
  // The engine's own default database shows the file system; here the store's is the default.
  return {
    kind: 'guest',
    database: database === undefined || database === 'default' ? executor.database : database,
    // Others are not even set: they would stay on the connection.
    parameters: Object.fromEntries(placeholders.map((name) => [name, request.parameters[name]!])),
  };
}

/** Parameters stay on a connection: one that was not given could be another's. */
function checkPlaceholders(names: readonly string[], parameters: Readonly<Record<string, string>>): void {
  for (const name of Object.keys(parameters)) {
    if (!/^[A-Za-z_][A-Za-z0-9_]{0,127}$/.test(name)) {
      throw exception(
        'BAD_ARGUMENTS',
        `The parameter name ${JSON.stringify(name.slice(0, 40))} is no name: use letters, digits and "_".`,
      );
    }
  }
  const missing = names.find((name) => !Object.hasOwn(parameters, name));
  if (missing !== undefined) throw exception('UNKNOWN_QUERY_PARAMETER', `Substitution \`${missing}\` is not set.`);
}

function refuseGet(method: string): void {
  if (method === 'POST') return;
  throw exception(
    'READONLY',
    'Cannot execute query in readonly mode. For queries over HTTP, method GET implies readonly. You should use method POST for modifying queries.',
  );
}

/** Runs with a signal that also fires when the result outgrows its bound. */
async function bounded<T>(
  file: SpoolFile,
  maxBytes: number,
  signal: AbortSignal,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  // By hand: in Node.js 20 a signal made by AbortSignal.any may be collected while someone listens to it.
  const stop = new AbortController();
  const onAbort = (): void => stop.abort();
  if (signal.aborted) stop.abort();
  signal.addEventListener('abort', onAbort, { once: true });
  let full = false;
  const timer = setInterval(() => {
    void file.size().then((size) => {
      full ||= (size ?? 0) > maxBytes;
      if (full) stop.abort();
    });
  }, 100);
  try {
    return await run(stop.signal);
  } catch (error) {
    if (!full) throw error;
    throw exception('TOO_MANY_BYTES', `The result is larger than ${maxBytes} bytes; ask for less, or in parts.`);
  } finally {
    clearInterval(timer);
    signal.removeEventListener('abort', onAbort);
  }
}

/** With the engine's error as a ClickHouse exception that tells nothing of our files. */
async function described(work: Promise<Printed>, file: SpoolFile): Promise<Printed> {
  try {
    return await work;
  } catch (error) {
    const found = asException(error);
    if (!found.message.includes(file.path)) throw found;
    throw new ClickHouseException(found.type, found.message.replaceAll(file.path, 'data of the request'), found.code, {
      cause: found,
    });
  }
}
