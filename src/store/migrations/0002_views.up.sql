-- Views that answer what people ask. All count deduplicated rows (FINAL): plain views, because a materialised view sums every
-- insert, a repeated one too.

-- How good was each policy version? Failed trajectories are in no rate.
CREATE VIEW IF NOT EXISTS success_by_version AS
SELECT
    job,
    purpose,
    evaluation,
    agent,
    policy_version,
    count() AS trajectories,
    countIf(valid) AS valid_trajectories,
    if(countIf(valid) = 0, 0, countIf(valid AND success) / countIf(valid)) AS success_rate,
    if(countIf(valid) = 0, 0, sumIf(reward, valid) / countIf(valid)) AS reward_mean,
    if(countIf(valid) = 0, 0, sumIf(steps, valid) / countIf(valid)) AS steps_mean
FROM trajectories FINAL
GROUP BY job, purpose, evaluation, agent, policy_version;

-- How is each tool used, how often does it answer with an error, how long does it take?
CREATE VIEW IF NOT EXISTS tool_usage AS
SELECT
    job,
    purpose,
    tool,
    count() AS calls,
    countIf(error) AS errors,
    countIf(error) / count() AS error_rate,
    round(quantile(0.5)(tool_us) / 1000, 3) AS p50_ms,
    round(quantile(0.95)(tool_us) / 1000, 3) AS p95_ms,
    round(max(tool_us) / 1000, 3) AS max_ms
FROM steps FINAL
GROUP BY job, purpose, tool;

-- Where did a trajectory's time go, from dispatch to score? Means over trajectories, in milliseconds. queue: sent but not
-- started; planning: encoding, batching and the forward pass; tools; flow: the rest of the run; scoring: waiting for the
-- rest of the group, for a reward actor, and the reward itself.
CREATE VIEW IF NOT EXISTS time_breakdown AS
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

-- What went wrong outside the policy, and on which node?
CREATE VIEW IF NOT EXISTS failure_classes AS
SELECT
    job,
    purpose,
    failure,
    node,
    count() AS trajectories,
    sum(resamples) AS resamples,
    min(ended_at) AS first_at,
    max(ended_at) AS last_at,
    anyLast(failure_message) AS example
FROM trajectories FINAL
WHERE failure != ''
GROUP BY job, purpose, failure, node;

-- How old was what each round trained on, and what became of its groups?
CREATE VIEW IF NOT EXISTS staleness AS
SELECT
    job,
    version,
    staleness_mean,
    staleness_max,
    groups,
    trained,
    filtered,
    expired,
    failed,
    wait_groups_ms,
    compute_ms,
    commit_ms,
    round_ms
FROM updates FINAL;

-- What did the policy learn to do? Share of each tool among the choices made in training, and its success, in ten equal
-- buckets of policy versions.
CREATE VIEW IF NOT EXISTS tool_choice AS
WITH bounds AS
(
    SELECT job, min(policy_version) AS first_version, max(policy_version) AS last_version
    FROM trajectories FINAL
    WHERE purpose = 'train'
    GROUP BY job
),
choices AS
(
    SELECT
        s.job AS job,
        least(9, intDiv((s.policy_version - b.first_version) * 10, b.last_version - b.first_version + 1)) AS bucket,
        s.policy_version AS policy_version,
        s.tool AS tool,
        s.error AS error,
        s.entropy AS entropy
    FROM
    (
        SELECT job, policy_version, tool, error, entropy FROM steps FINAL WHERE purpose = 'train'
    ) AS s
    INNER JOIN bounds AS b ON b.job = s.job
),
counted AS
(
    SELECT
        job,
        bucket,
        tool,
        min(policy_version) AS first_version,
        max(policy_version) AS last_version,
        count() AS calls,
        countIf(error) / count() AS error_rate,
        avg(entropy) AS entropy_mean
    FROM choices
    GROUP BY job, bucket, tool
)
SELECT
    job,
    bucket,
    min(first_version) OVER (PARTITION BY job, bucket) AS from_version,
    max(last_version) OVER (PARTITION BY job, bucket) AS to_version,
    tool,
    calls,
    calls / sum(calls) OVER (PARTITION BY job, bucket) AS share,
    error_rate,
    entropy_mean
FROM counted;
