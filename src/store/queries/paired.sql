-- Two evaluations of a job on the same tasks, pair by pair: tasks that only one solves more often, the difference of the success rates, and the
-- evidence E of the always-valid paired test, which decides at `threshold`. A task counts once, however many flows of it were run.
-- @param candidate String = test-trained: name of the evaluations that are compared, one row for each version.
-- @param baseline String = test-untrained: name of those they are compared with.
-- @param candidates UInt32 = 1: as many versions the candidate was chosen from on these tasks.
SELECT
    c.evaluation AS candidate,
    b.evaluation AS baseline,
    count() AS tasks,
    countIf(c.rate > b.rate) AS wins,
    countIf(c.rate < b.rate) AS losses,
    round(avg(c.rate - b.rate), 4) AS difference,
    exp((wins + losses) * log(2) + lgamma(wins + 1) + lgamma(losses + 1) - lgamma(wins + losses + 2)) AS evidence,
    {candidates:UInt32} / 0.05 AS threshold,
    multiIf(evidence < threshold OR wins = losses, 'undecided', wins > losses, 'better', 'worse') AS decision
FROM
(
    SELECT evaluation, any(policy_version) AS version, task_id, avg(success) AS rate
    FROM trajectories
    WHERE job = {job:String} AND valid AND startsWith(evaluation, concat({candidate:String}, '@'))
    GROUP BY evaluation, task_id
) AS c
INNER JOIN
(
    SELECT evaluation, task_id, avg(success) AS rate
    FROM trajectories
    WHERE job = {job:String} AND valid AND startsWith(evaluation, concat({baseline:String}, '@'))
    GROUP BY evaluation, task_id
) AS b ON c.task_id = b.task_id
GROUP BY candidate, baseline
ORDER BY any(c.version), candidate, baseline
