-- What tools complain about, in the newest rounds of training: the 40 most frequent errors.
-- @param rounds UInt32 = 100: how many of the newest rounds.
WITH
    (SELECT max(round) FROM trajectories WHERE job = {job:String} AND purpose = 'train') AS newest
SELECT
    tool,
    substring(result, 1, 100) AS message,
    count() AS errors,
    round(errors / sum(errors) OVER (), 3) AS share,
    uniqExact(task_id) AS tasks
FROM steps
WHERE job = {job:String} AND purpose = 'train' AND error AND round > toInt64(newest) - {rounds:UInt32}
GROUP BY tool, message
ORDER BY errors DESC, tool, message
LIMIT 40
