import { JOB } from './rows.ts';

/** Values for what a named query asks for besides the job: by the placeholder's type, where its name says no more. */
const BY_TYPE: Readonly<Record<string, string | number>> = { String: '', Float64: 0.5, Float32: 0.5 };

/** A value for each {name:Type} placeholder of a query. */
export function parametersFor(sql: string): Record<string, string | number> {
  const parameters: Record<string, string | number> = {};
  let versions = 0;
  for (const [, name, type] of sql.matchAll(/\{(\w+):\s*([^}]+)\}/g)) {
    if (parameters[name!] !== undefined) continue;
    // Two versions to compare are two different ones.
    parameters[name!] = name === 'job' ? JOB : (BY_TYPE[type!] ?? 100 * versions++);
  }
  return parameters;
}
