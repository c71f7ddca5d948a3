-- How did each group of trajectories of one task end, and could anything be learned from it? A request of an evaluation may be about
-- several tasks: each is a group. Imported trajectories come without request and verdict: those of one task are a group then, and the
-- verdict is what their rewards say.
CREATE OR REPLACE VIEW group_outcomes AS
SELECT
    job,
    purpose,
    round,
    request_id,
    task_id,
    any(t.task_type) AS task_type,
    min(t.policy_version) AS policy_version,
    multiIf(any(t.verdict) != '', any(t.verdict), countIf(valid) = 0, 'failed', minIf(reward, valid) = maxIf(reward, valid), 'no_signal', 'signal') AS verdict,
    count() AS members,
    countIf(valid) AS valid_members,
    countIf(valid AND success) AS successes,
    if(valid_members = 0, 0, sumIf(reward, valid) / valid_members) AS reward_mean,
    if(valid_members = 0, 0, stddevPopIf(reward, valid)) AS reward_deviation
FROM trajectories AS t FINAL
GROUP BY job, purpose, round, request_id, task_id;
