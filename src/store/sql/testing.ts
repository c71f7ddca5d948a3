import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EmbeddedEngine } from '../embedded.ts';
import { guardQuery, rebased, withoutEnd } from './guard.ts';
import type { Refusal } from './guard.ts';
import { judgeWrite } from './judge-write.ts';
import type { WriteVerdict } from './judge-write.ts';
import type { StatementScope } from './judge.ts';
import { sqlTokens } from './lexer.ts';

/** An engine in a folder of its own, whose judge is asked by text. */
export interface TestJudge {
  engine: EmbeddedEngine;
  /** Why a reading statement is refused; undefined when it is not. Throws when it is no statement. */
  read(sql: string, scope?: StatementScope): Promise<Refusal | undefined>;
  /** The same for one that writes. */
  write(sql: string, scope?: StatementScope): Promise<WriteVerdict>;
  stop(): Promise<void>;
}

/** Opens an engine for a test file; one for a process. */
export async function openTestJudge(): Promise<TestJudge> {
  const path = mkdtempSync(join(tmpdir(), 'millrace-judge-'));
  const engine = await EmbeddedEngine.open(path, 1024 * 1024 * 1024);
  return {
    engine,
    read(text, scope) {
      const { sql, tokens } = guardQuery(text);
      return engine.judge.read(sql, tokens, scope);
    },
    write(text, scope) {
      const tokens = withoutEnd(sqlTokens(text));
      const sql = text.slice(tokens[0]!.start, tokens.at(-1)!.end);
      return judgeWrite(engine.judge, sql, rebased(tokens), scope);
    },
    async stop() {
      await engine.close();
      rmSync(path, { recursive: true, force: true });
    },
  };
}
