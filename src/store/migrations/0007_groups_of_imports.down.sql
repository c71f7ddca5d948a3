-- As 0006 made it.
CREATE OR REPLACE VIEW group_outcomes AS
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
