import { parseAge } from '../../../src/config/age.ts';
import type { ClusterConfig } from '../../../src/config/cluster.ts';
import type { SettingsOf } from './roles.ts';

/** The ClickHouse server of a cluster's settings; undefined for the embedded engine. */
export function serverOf(settings: ClusterConfig['clickhouse']): SettingsOf<'store'>['clickhouse'] {
  const { url, user: username, password, database, caFile, certFile, keyFile, cluster, replicated } = settings;
  if (url === undefined) return undefined;
  return { url, username, password, database, caFile, certFile, keyFile, cluster, replicated };
}

/** The ages of a cluster's settings in hours. */
export function retentionOf(ages: ClusterConfig['store']['retention']): NonNullable<SettingsOf<'store'>['retention']> {
  return Object.fromEntries(
    Object.entries(ages).flatMap(([name, age]) =>
      age === 'forever' ? [] : [[name, parseAge(age, `store.retention.${name}`) / 3600]],
    ),
  );
}
