import { judgeWrite } from '../sql/judge-write.ts';
import type { SqlJudge } from '../sql/judge.ts';
import type { Token } from '../sql/lexer.ts';
import { nameOf } from '../sql/write-rules.ts';
import { asException, ClickHouseException } from './exception.ts';
import type { HttpQuery } from './request.ts';
import { refusedAs } from './statement.ts';

/** Who asks, and how. */
export interface Asker {
  user: string;
  mayWrite: boolean;
  method: string;
  /** Address and port. */
  peer: string;
}

/** Where names are looked up, and what placeholders stand for. */
export interface Where {
  kind: 'guest';
  database: string;
  parameters: Record<string, string>;
}

/** A statement that changes tables, or tried to. */
export interface AuditEntry {
  user: string;
  /** Address and port of the client; a proxy's own where there is one. */
  peer: string;
  queryId: string;
  /** `DROP TABLE`, `ALTER TABLE`, `SYSTEM` ... */
  kind: string;
  /** `database.table` of each thing it is about, as far as it could be told. */
  targets: readonly string[];
  /** Why it was not run. */
  refused?: string;
}

/** Told of every statement that changes more than it adds rows, before it runs, and of every one that is refused. */
export type Audit = (entry: AuditEntry) => void;

/** Throws unless everything in a statement that writes is known to be harmless; tells the audit of it. */
export async function assertGranted(
  { judge, audit }: { judge: SqlJudge; audit: Audit },
  { queryId }: HttpQuery,
  { sql, tokens, who, where }: { sql: string; tokens: readonly Token[]; who: Asker; where: Where },
): Promise<void> {
  const { intent, refused } = await judgeWrite(judge, sql, tokens, where);
  if (refused || !intent.kind.startsWith('INSERT')) {
    const targets = intent.targets.map((target) => nameOf({ ...target, database: target.database ?? where.database }));
    const entry = { user: who.user, peer: who.peer, queryId, kind: intent.kind, targets };
    audit(refused ? { ...entry, refused: refused.message } : entry);
  }
  if (refused) throw new AuditedError(refusedAs(refused, sql));
}

/** Tells the audit of a statement that was refused by its form alone. */
export function auditRefusal(
  audit: Audit,
  error: unknown,
  { verb, ...asked }: { user: string; peer: string; queryId: string; verb: string | undefined },
): void {
  const { type, message } = asException(error);
  // What the engine itself had against it is between it and the client.
  if (verb === undefined || type !== 'ACCESS_DENIED' || error instanceof AuditedError) return;
  audit({ ...asked, kind: verb.toUpperCase(), targets: [], refused: message });
}

/** A refusal that the audit has been told of. */
class AuditedError extends ClickHouseException {
  constructor(error: Error) {
    const { type, message, code } = asException(error);
    super(type, message, code, { cause: error });
  }
}
