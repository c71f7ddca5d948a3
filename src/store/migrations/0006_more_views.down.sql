DROP VIEW IF EXISTS usage_by_day;
DROP VIEW IF EXISTS task_outcomes;
DROP VIEW IF EXISTS group_outcomes;
DROP VIEW IF EXISTS tool_calls;
-- As 0002 made it.
CREATE OR REPLACE VIEW time_breakdown AS
WITH spans AS
(
    SELECT
        t.job AS job,
        t.purpose AS purpose,
        greatest(0, dateDiff('microsecond', t.dispatched_at, t.started_at)) AS queue_us,
        greatest(0, dateDiff('microsecond', t.started_at, t.ended_at)) AS run_us,
        greatest(0, dateDiff('microsecond', t.ended_at, t.scored_at)) AS scoring_us,
        s.plan_us AS plan_us,
        s.tool_us AS tool_us
    FROM
    (
        SELECT job, purpose, trajectory_id, dispatched_at, started_at, ended_at, scored_at
        FROM trajectories FINAL
        WHERE valid
    ) AS t
    LEFT JOIN
    (
        SELECT job, trajectory_id, sum(plan_us) AS plan_us, sum(tool_us) AS tool_us
        FROM steps FINAL
        GROUP BY job, trajectory_id
    ) AS s ON s.job = t.job AND s.trajectory_id = t.trajectory_id
),
stages AS
(
    SELECT
        job,
        purpose,
        arrayJoin([
            ('queue', toFloat64(queue_us)),
            ('planning', toFloat64(plan_us)),
            ('tools', toFloat64(tool_us)),
            ('flow', toFloat64(greatest(0, run_us - toInt64(plan_us) - toInt64(tool_us)))),
            ('scoring', toFloat64(scoring_us))
        ]) AS span
    FROM spans
)
SELECT
    job,
    purpose,
    span.1 AS stage,
    count() AS trajectories,
    round(avg(span.2) / 1000, 3) AS mean_ms,
    round(quantile(0.95)(span.2) / 1000, 3) AS p95_ms,
    round(sum(span.2) / 1000000, 3) AS total_seconds
FROM stages
GROUP BY job, purpose, stage;
