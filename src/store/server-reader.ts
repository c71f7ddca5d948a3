import { createHash } from 'node:crypto';
import { literal } from './engine.ts';

/** The user of a ClickHouse server who runs the SQL of people. */
export interface ServerReader {
  username: string;
  password: string;
  /** What makes it, or makes it as it should be; may be run any number of times. */
  statements(cluster?: string): string[];
}

/**
 * The reader of a database: it may SELECT from that database and nothing else, and change settings of its queries but not that they only
 * read. Its password follows from that of the store's own user, so that every process of a cluster knows it and none has to keep it.
 */
export function readerOf({
  database,
  username,
  password,
}: {
  database: string;
  username: string;
  password: string;
}): ServerReader {
  const name = `${database}_reader`;
  const secret = sha256(`millrace reader\0${database}\0${username}\0${password}`);
  return {
    username: name,
    password: secret,
    statements(cluster) {
      const on = cluster === undefined ? '' : ` ON CLUSTER ${literal(cluster)}`;
      // The hash alone: statements are written into the server's logs.
      const as = `IDENTIFIED WITH sha256_hash BY ${literal(sha256(secret))} SETTINGS readonly = 2`;
      return [
        `CREATE USER IF NOT EXISTS \`${name}\`${on} ${as}`,
        // The store's password may have changed since it was made.
        `ALTER USER \`${name}\`${on} ${as}`,
        `GRANT${on} SELECT ON \`${database}\`.* TO \`${name}\``,
      ];
    },
  };
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
