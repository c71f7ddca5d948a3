-- Training success and reward by task type, in at most 10 buckets of versions. The type is what the flow's `type` says of a task;
-- empty where it has none. Rate and means are of the trajectories that were judged, empty where none was; `not_judged` of `trajectories` failed
-- for reasons of the infrastructure.
WITH
    (SELECT max(policy_version) FROM trajectories WHERE job = {job:String} AND purpose = 'train') AS newest
SELECT
    task_type,
    min(policy_version) AS from_version,
    max(policy_version) AS to_version,
    uniqExact(task_id) AS tasks,
    count() AS trajectories,
    countIf(NOT valid) AS not_judged,
    round(avgOrNullIf(success, valid), 3) AS success_rate,
    round(avgOrNullIf(reward, valid), 3) AS reward_mean,
    round(avgOrNullIf(steps, valid), 1) AS steps_mean
FROM trajectories
WHERE job = {job:String} AND purpose = 'train'
GROUP BY task_type, intDiv(policy_version * 10, newest + 1)
ORDER BY task_type, from_version
