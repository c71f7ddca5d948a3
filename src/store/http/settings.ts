import { exception } from './exception.ts';
import { MAX_SETTINGS } from './clauses.ts';
import { readFilter } from './filters.ts';
import { READER_SETTINGS, TABLE_SETTINGS, WRITER_SETTINGS } from '../sql/allowed-settings.ts';

/** URL parameters that are about the request and no settings of a query. */
const OF_THE_REQUEST = new Set([
  'query',
  'database',
  'default_format',
  'user',
  'password',
  'quota_key',
  'query_id',
  'session_id',
  'session_timeout',
  'session_check',
  'close_session',
  'role',
  'stacktrace',
  'compress',
  'decompress',
  'client_protocol_version',
  'buffer_size',
  'wait_end_of_query',
  'add_http_cors_header',
]);

/** Settings without a meaning here: taken and left aside, because clients send them to every server. */
const LEFT_ASIDE =
  /^(?:enable_http_compression|http_[a-z_]+|send_progress_in_http_headers|cancel_http_readonly_queries_on_client_disconnect|log_[a-z_]+|send_logs_level|async_insert[a-z_]*|wait_for_async_insert[a-z_]*|insert_quorum[a-z_]*|select_sequential_consistency|load_balancing|distributed_[a-z_]+|database_replicated_[a-z_]+|connect_timeout[a-z_]*|receive_timeout|send_timeout|network_[a-z_]+|priority|use_query_cache|input_format_values_interpret_expressions)$/;

/** Numbers that may be asked for only up to a bound. 0 means "without a bound" to ClickHouse, and gets the bound. */
export type SettingBounds = Readonly<Record<string, number>>;

/** Each of them is parsed by the engine; a dashboard has one for a table. */
export const MAX_CONDITIONS = 100;

/** How settings are judged. */
export interface SettingRules {
  /** Every setting that the engine knows. */
  known: ReadonlySet<string>;
  bounds: SettingBounds;
  /** Someone who may write may change those of inserts and tables as well. */
  mayWrite: boolean;
}

/** Settings that were found harmless. */
export interface CheckedSettings {
  /** For the engine. */
  settings: Record<string, string>;
  /** SQL in their values, for the judge. */
  conditions: readonly string[];
}

/** Whether a URL parameter is about the request; what is left are settings and `param_*`. */
export const isRequestParameter = (name: string): boolean => OF_THE_REQUEST.has(name) || name.startsWith('param_');

/**
 * The settings that go to the engine. Throws UNKNOWN_SETTING as servers do, and READONLY for those that are not known to be harmless
 * (allowed-settings.ts).
 */
export function checkSettings(given: readonly (readonly [string, string])[], rules: SettingRules): CheckedSettings {
  if (given.length > MAX_SETTINGS) throw exception('BAD_ARGUMENTS', `A request may have ${MAX_SETTINGS} settings.`);
  const settings: Record<string, string> = {};
  const conditions: string[] = [];
  const allowed = rules.mayWrite ? WRITER_SETTINGS : READER_SETTINGS;
  for (const [name, value] of given) {
    if (isRequestParameter(name) || LEFT_ASIDE.test(name)) continue;
    if (!rules.known.has(name)) {
      throw exception(
        'UNKNOWN_SETTING',
        `Setting ${shortName(name)} is neither a builtin setting nor started with the prefix 'SQL_' registered for user-defined settings.`,
      );
    }
    if (name === 'readonly') {
      if (value === '0' && !rules.mayWrite) throw readonly(name);
      continue;
    }
    const filter = readFilter(name, value);
    if (filter === undefined && !allowed.has(name)) throw readonly(name);
    settings[name] = filter?.value ?? bounded(value, rules.bounds[name]);
    conditions.push(...(filter?.conditions ?? []));
    if (conditions.length > MAX_CONDITIONS) throw exception('BAD_ARGUMENTS', `Filters may have ${MAX_CONDITIONS} conditions.`);
  }
  return { settings, conditions };
}

/** Checks settings that stay where they are in a statement of the writer: its own, or those of the table that it makes. */
export function checkOwnSettings(given: readonly (readonly [string, string])[]): void {
  for (const [name] of given)
    if (!WRITER_SETTINGS.has(name) && !TABLE_SETTINGS.has(name) && !LEFT_ASIDE.test(name)) throw readonly(name);
}

const readonly = (name: string): Error => exception('READONLY', `Cannot modify '${name}' setting in readonly mode.`);

function bounded(value: string, bound: number | undefined): string {
  if (bound === undefined) return value;
  const number = Number(value);
  return Number.isFinite(number) && number > 0 && number <= bound ? value : String(bound);
}

const shortName = (name: string): string => JSON.stringify(name.slice(0, 80)).slice(1, -1);
