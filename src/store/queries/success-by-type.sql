-- Training success and reward by task type, in at most 10 buckets of versions. The type is what the flow's `type` says of a task;
-- empty where it has none.
WITH
    (SELECT max(policy_version) FROM trajectories WHERE job = {job:String} AND purpose = 'train') AS newest
SELECT
    task_type,
    min(policy_version) AS from_version,
    max(policy_version) AS to_version,
    uniqExact(task_id) AS tasks,
    count() AS trajectories,
    round(avg(success), 3) AS success_rate,
    round(avg(reward), 3) AS reward_mean,
    round(avg(steps), 1) AS steps_mean
FROM trajectories
WHERE job = {job:String} AND purpose = 'train' AND valid
GROUP BY task_type, intDiv(policy_version * 10, newest + 1)
ORDER BY task_type, from_version
