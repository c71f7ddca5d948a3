-- The tasks that teach most, in the newest rounds of training: those whose success is nearest to a coin's. The posterior begins with
-- one success and one failure; its uncertainty is in bits, and `informative` is the share of the task's groups that had a signal.
-- @param rounds UInt32 = 200: how many of the newest rounds.
-- @param limit UInt32 = 40: how many tasks.
WITH
    (SELECT max(round) FROM trajectories WHERE job = {job:String} AND purpose = 'train') AS newest
SELECT
    task_id,
    any(task_type) AS task_type,
    count() AS groups,
    sum(valid_members) AS trajectories,
    sum(successes) AS succeeded,
    round((succeeded + 1) / (trajectories + 2), 3) AS success,
    round(-success * log2(success) - (1 - success) * log2(1 - success), 3) AS bits,
    round(countIf(verdict = 'signal') / groups, 3) AS informative
FROM group_outcomes
WHERE job = {job:String} AND purpose = 'train' AND round > toInt64(newest) - {rounds:UInt32}
GROUP BY task_id
ORDER BY bits DESC, informative DESC, task_id
LIMIT {limit:UInt32}
