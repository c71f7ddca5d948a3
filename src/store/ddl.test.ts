import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ddlFor } from './ddl.ts';
import { EmbeddedEngine } from './embedded.ts';
import { loadMigrations } from './migrate.ts';

const CLUSTER = { cluster: 'main' };

describe('ddlFor', () => {
  it.each([
    [
      'CREATE TABLE a (x Int32) ENGINE = MergeTree ORDER BY x',
      "CREATE TABLE a ON CLUSTER 'main' (x Int32) ENGINE = ReplicatedMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}') ORDER BY x",
    ],
    [
      'create table if not exists `d`.`a b`(x Int32) engine ReplacingMergeTree(x) ORDER BY x SETTINGS non_replicated_deduplication_window = 9',
      "create table if not exists `d`.`a b` ON CLUSTER 'main'(x Int32) engine ReplicatedReplacingMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}', x) ORDER BY x SETTINGS replicated_deduplication_window = 9",
    ],
    [
      'CREATE TABLE a (x Int32) ENGINE=SummingMergeTree() ORDER BY x',
      "CREATE TABLE a ON CLUSTER 'main' (x Int32) ENGINE=ReplicatedSummingMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}') ORDER BY x",
    ],
    ['CREATE TABLE a (x Int32) ENGINE = Memory', "CREATE TABLE a ON CLUSTER 'main' (x Int32) ENGINE = Memory"],
    [
      "CREATE OR REPLACE VIEW v AS SELECT 'ENGINE = MergeTree' FROM a",
      "CREATE OR REPLACE VIEW v ON CLUSTER 'main' AS SELECT 'ENGINE = MergeTree' FROM a",
    ],
    [
      'CREATE MATERIALIZED VIEW IF NOT EXISTS v TO a AS SELECT 1',
      "CREATE MATERIALIZED VIEW IF NOT EXISTS v ON CLUSTER 'main' TO a AS SELECT 1",
    ],
    ['CREATE DATABASE IF NOT EXISTS d', "CREATE DATABASE IF NOT EXISTS d ON CLUSTER 'main'"],
    ['ALTER TABLE a ADD COLUMN y Int32', "ALTER TABLE a ON CLUSTER 'main' ADD COLUMN y Int32"],
    [
      'ALTER TABLE a MODIFY SETTING non_replicated_deduplication_window = 5',
      "ALTER TABLE a ON CLUSTER 'main' MODIFY SETTING replicated_deduplication_window = 5",
    ],
    ['DROP VIEW IF EXISTS v', "DROP VIEW IF EXISTS v ON CLUSTER 'main'"],
    ['TRUNCATE TABLE a', "TRUNCATE TABLE a ON CLUSTER 'main'"],
    ['OPTIMIZE TABLE a FINAL', "OPTIMIZE TABLE a ON CLUSTER 'main' FINAL"],
    ['DELETE FROM a WHERE x = 1', "DELETE FROM a ON CLUSTER 'main' WHERE x = 1"],
    ['RENAME TABLE a TO b', "RENAME TABLE a TO b ON CLUSTER 'main'"],
    ['EXCHANGE TABLES a AND b', "EXCHANGE TABLES a AND b ON CLUSTER 'main'"],
    ['INSERT INTO a VALUES (1)', 'INSERT INTO a VALUES (1)'],
    ['SELECT 1 FROM a', 'SELECT 1 FROM a'],
    [
      "CREATE TABLE a ON CLUSTER 'other' (x Int32) ENGINE = ReplicatedMergeTree ORDER BY x",
      "CREATE TABLE a ON CLUSTER 'other' (x Int32) ENGINE = ReplicatedMergeTree ORDER BY x",
    ],
  ])('%s', (given, wanted) => {
    expect(ddlFor(given, CLUSTER)).toBe(wanted);
    expect(ddlFor(wanted, CLUSTER), 'twice is once').toBe(wanted);
    expect(ddlFor(given, {}), 'without a variant').toBe(given);
  });

  it('quotes names, and takes other places', () => {
    expect(ddlFor('DROP TABLE a', { cluster: "it's \\ {macro}" })).toBe("DROP TABLE a ON CLUSTER 'it\\'s \\\\ {macro}'");
    const replicated = { replicated: true, replicaPath: '/x/{table}', replicaName: 'r1' };
    expect(ddlFor('CREATE TABLE a (x Int32) ENGINE = MergeTree ORDER BY x', replicated)).toBe(
      "CREATE TABLE a (x Int32) ENGINE = ReplicatedMergeTree('/x/{table}', 'r1') ORDER BY x",
    );
    expect(ddlFor('CREATE TABLE a (x Int32) ENGINE = MergeTree ORDER BY x', { cluster: 'c', replicated: false })).toBe(
      "CREATE TABLE a ON CLUSTER 'c' (x Int32) ENGINE = MergeTree ORDER BY x",
    );
  });
});

describe('the migrations on a cluster', () => {
  const statements = loadMigrations().flatMap(({ up, down }) => [...up, ...down]);
  let engine: EmbeddedEngine;
  const path = mkdtempSync(join(tmpdir(), 'millrace-ddl-'));
  beforeAll(async () => {
    engine = await EmbeddedEngine.open(path, 512 * 1024 * 1024);
  });
  afterAll(async () => {
    await engine.close();
    rmSync(path, { recursive: true, force: true });
  });

  it('make replicated tables and say so on every host', () => {
    const heads = statements.map((statement) => {
      const text = ddlFor(statement, CLUSTER);
      if (/^\s*(?:CREATE|ALTER|DROP)/i.test(statement)) expect(text).toContain(" ON CLUSTER 'main'");
      expect(text).not.toMatch(/ENGINE = (?!Replicated)\w*MergeTree/);
      expect(text).not.toContain('non_replicated_deduplication_window');
      return [...text.matchAll(/^(?:CREATE|ALTER|DROP)[^\n(]*|^ENGINE = .*/gim)].map(([line]) => line.slice(0, 140)).join('\n');
    });
    expect(heads.slice(0, 12)).toMatchSnapshot();
  });

  it('can be read by the engine', async () => {
    for (const variant of [CLUSTER, { replicated: true }, { cluster: 'c', replicated: false }]) {
      for (const statement of statements) {
        const text = ddlFor(statement, variant);
        expect(await engine.run(`EXPLAIN AST ${text}`), text).toMatch(/\S/);
      }
    }
  });
});
