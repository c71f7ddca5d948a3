-- More views of what people ask; docs/analytics.md shows each with an answer.

-- Where did a trajectory's time go, from dispatch to score? As before, but from the sums that rows of trajectories hold, so that
-- steps need not be read.
CREATE OR REPLACE VIEW time_breakdown AS
WITH stages AS
(
    SELECT
        job,
        purpose,
        arrayJoin([
            ('queue', toFloat64(greatest(0, dateDiff('microsecond', dispatched_at, started_at)))),
            ('planning', toFloat64(plan_us)),
            ('tools', toFloat64(tool_us)),
            ('flow', toFloat64(greatest(0, dateDiff('microsecond', started_at, ended_at) - toInt64(plan_us) - toInt64(tool_us)))),
            ('scoring', toFloat64(greatest(0, dateDiff('microsecond', ended_at, scored_at))))
        ]) AS span
    FROM trajectories FINAL
    WHERE valid
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

-- What was called, with what, and what came back? A step is one call of a tool: its rows under the names people look for.
CREATE VIEW IF NOT EXISTS tool_calls AS
SELECT
    job,
    purpose,
    round,
    policy_version,
    request_id,
    trajectory_id,
    task_id,
    step,
    tool,
    arguments,
    if(s.error, '', s.result) AS result,
    if(s.error, s.result, '') AS error,
    tool_us / 1000 AS tool_ms,
    plan_us / 1000 AS plan_ms,
    started_at
FROM steps AS s FINAL;

-- How did each group of trajectories of one task end, and could anything be learned from it?
CREATE VIEW IF NOT EXISTS group_outcomes AS
SELECT
    job,
    purpose,
    round,
    request_id,
    any(t.task_id) AS task_id,
    any(t.task_type) AS task_type,
    min(t.policy_version) AS policy_version,
    any(t.verdict) AS verdict,
    count() AS members,
    countIf(valid) AS valid_members,
    countIf(valid AND success) AS successes,
    if(valid_members = 0, 0, sumIf(reward, valid) / valid_members) AS reward_mean,
    if(valid_members = 0, 0, stddevPopIf(reward, valid)) AS reward_deviation
FROM trajectories AS t FINAL
GROUP BY job, purpose, round, request_id;

-- How often does each task succeed? `success` is the mean of the posterior that begins with one success and one failure.
CREATE VIEW IF NOT EXISTS task_outcomes AS
SELECT
    job,
    purpose,
    agent,
    task_type,
    task_id,
    countIf(valid) AS trajectories,
    countIf(valid AND t.success) AS successes,
    (successes + 1) / (trajectories + 2) AS success,
    max(policy_version) AS last_version
FROM trajectories AS t FINAL
GROUP BY job, purpose, agent, task_type, task_id;

-- What did a job use, day by day (UTC, by the time of scoring)? Seconds are sums over trajectories that ran side by side.
CREATE VIEW IF NOT EXISTS usage_by_day AS
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
