-- As 0006 made it.
CREATE OR REPLACE VIEW usage_by_day AS
SELECT
    job,
    toDate(scored_at) AS day,
    count() AS trajectories,
    sum(t.steps) AS decisions,
    round(sum(t.plan_us) / 1000000, 3) AS planner_seconds,
    round(sum(t.tool_us) / 1000000, 3) AS tool_seconds,
    sum(t.tokens_in) AS tokens_in,
    sum(t.tokens_out) AS tokens_out,
    sum(t.cost) AS cost
FROM trajectories AS t FINAL
GROUP BY job, day;

DROP VIEW IF EXISTS job_costs;

DROP TABLE IF EXISTS spending SYNC;

ALTER TABLE trajectories
    DROP COLUMN IF EXISTS micro_dollars,
    COMMENT COLUMN cost 'cost in the currency of the flow, as tools and reward say';
