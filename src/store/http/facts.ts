import { hostname } from 'node:os';
import type { SessionPool } from '../sessions.ts';

/** What the engine says about itself, asked once. */
export interface EngineFacts {
  version: string;
  timezone: string;
  displayName: string;
  /** Content types of the formats that results can have, by name. */
  formats: ReadonlyMap<string, string>;
  settings: ReadonlySet<string>;
}

/** Asks the engine. */
export async function readFacts(sessions: SessionPool): Promise<EngineFacts> {
  const lines = async (sql: string): Promise<string[][]> => {
    const { bytes } = await sessions.run({ sql, format: 'TabSeparated' });
    const text = Buffer.from(bytes).toString('utf8').trimEnd();
    return text.split('\n').map((line) => line.split('\t'));
  };
  const [about] = await lines('SELECT version(), timezone()');
  const formats = await lines('SELECT name, content_type FROM system.formats WHERE is_output');
  const settings = await lines(
    "SELECT name FROM system.settings UNION ALL SELECT alias_for FROM system.settings WHERE alias_for != ''",
  );
  return {
    version: about![0]!,
    timezone: about![1]!,
    displayName: hostname(),
    formats: new Map(formats.map(([name, type]) => [name!, type!])),
    settings: new Set(settings.map(([name]) => name!)),
  };
}
