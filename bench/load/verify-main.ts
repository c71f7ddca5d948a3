/** Process that proves by SQL, on the database of a store that has ended, that every accepted trajectory is there once. */
import { EmbeddedEngine } from '../../src/store/embedded.ts';
import { AcceptedLog } from './accepted-log.ts';
import { serveOrders } from './worker.ts';

/** Where to look, and what must be there. */
export interface VerifyOrder {
  database: string;
  /** Logs of what was accepted. */
  logs: string[];
}

/** What the tables hold, over all jobs. */
export interface Verdict {
  acceptedTrajectories: number;
  acceptedSteps: number;
  /** Accepted and not in the store. */
  lostTrajectories: number;
  lostSteps: number;
  /** Rows beyond the first of a natural key, as queries see the tables (FINAL). */
  duplicatedTrajectories: number;
  duplicatedSteps: number;
  /** The same in the parts as they lie: rows that a merge has yet to collapse. No query sees them. */
  unmergedTrajectories: number;
  unmergedSteps: number;
  /** In the store, though never acknowledged: whoever published them died before it could note it. */
  unacknowledgedTrajectories: number;
}

const MEMORY_BYTES = 4 * 1024 ** 3;
const GROUPS_AT_ONCE = 1000;

/** Accepted trajectories with the steps they must have. */
const ACCEPTED = `(SELECT concat(request_id, ':', toString(member)) AS trajectory_id, count AS steps
  FROM accepted ARRAY JOIN lengths AS count, arrayEnumerate(lengths) AS place, arrayMap(at -> at - 1, arrayEnumerate(lengths)) AS member)`;

/** Steps of each trajectory in the store. */
const STORED = `(SELECT trajectory_id, uniqExact(step) AS present FROM steps FINAL GROUP BY trajectory_id)`;

const twins = (table: string, key: string, final: string): string =>
  `SELECT sum(copies - 1) FROM (SELECT count() AS copies FROM ${table} ${final} GROUP BY ${key})`;

const QUESTIONS: Readonly<Record<keyof Verdict, string>> = {
  acceptedTrajectories: `SELECT count() FROM ${ACCEPTED}`,
  acceptedSteps: `SELECT sum(steps) FROM ${ACCEPTED}`,
  lostTrajectories: `SELECT count() FROM ${ACCEPTED} WHERE trajectory_id NOT IN (SELECT trajectory_id FROM trajectories FINAL)`,
  lostSteps: `SELECT sum(greatest(0, toInt64(a.steps) - toInt64(s.present))) FROM ${ACCEPTED} AS a LEFT JOIN ${STORED} AS s ON a.trajectory_id = s.trajectory_id`,
  duplicatedTrajectories: twins('trajectories', 'job, trajectory_id', 'FINAL'),
  duplicatedSteps: twins('steps', 'job, trajectory_id, step', 'FINAL'),
  unmergedTrajectories: twins('trajectories', 'job, trajectory_id', ''),
  unmergedSteps: twins('steps', 'job, trajectory_id, step', ''),
  unacknowledgedTrajectories: `SELECT count() FROM trajectories FINAL WHERE trajectory_id NOT IN (SELECT trajectory_id FROM ${ACCEPTED})`,
};

serveOrders<VerifyOrder, Verdict>(async ({ database, logs }) => {
  const engine = await EmbeddedEngine.open(database, MEMORY_BYTES);
  try {
    await engine.run('CREATE OR REPLACE TABLE accepted (request_id String, lengths Array(UInt32)) ENGINE = Memory');
    for (const log of logs) {
      const groups = [...AcceptedLog.read(log).values()];
      for (let at = 0; at < groups.length; at += GROUPS_AT_ONCE) {
        const values = groups.slice(at, at + GROUPS_AT_ONCE).map(({ id, lengths }) => `('${id}', [${lengths.join(',')}])`);
        await engine.run(`INSERT INTO accepted VALUES ${values.join(', ')}`);
      }
    }
    const answers: [string, number][] = [];
    for (const [name, sql] of Object.entries(QUESTIONS)) {
      answers.push([name, Number((await engine.run(`${sql} FORMAT TabSeparated`)).trim())]);
    }
    return Object.fromEntries(answers) as unknown as Verdict;
  } finally {
    await engine.close();
  }
});
