/** What a watcher is given; `value` undefined = deleted or expired. */
export interface KeyValueChange {
  key: string;
  value: Uint8Array | undefined;
  revision: number;
}

/** The newest message about a key. */
export interface Found {
  value: Uint8Array;
  revision: number;
  deleted: boolean;
}

/** What a watch of a bucket follows, and how. */
export interface BucketWatchOptions {
  /** Stream of the bucket. */
  stream: string;
  /** Subject of a key without the key. */
  prefix: string;
  /** Filter of keys. */
  filter: string;
  /** How long values live, in ms; 0 = for ever. */
  ttlMs: number;
  /** Asks for the newest message about a key; undefined when there is none. */
  newest: (key: string) => Promise<Found | undefined>;
  handler: (change: KeyValueChange) => void;
}
