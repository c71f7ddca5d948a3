-- Steps that tell success from failure within a group, in the newest rounds of training: of the trajectories that called the tool
-- (`any`) or called it as their nth step, how many more succeeded than of their group. Only groups of which some members succeeded
-- and some did not. z is the Cochran-Mantel-Haenszel statistic over the groups: beyond 3 it is hardly chance.
-- @param rounds UInt32 = 100: how many of the newest rounds.
-- @param positions UInt16 = 8: calls by position up to this many steps.
WITH
    (SELECT max(round) FROM trajectories WHERE job = {job:String} AND purpose = 'train') AS newest,
    toInt64(newest) - {rounds:UInt32} AS before,
    members AS
    (
        SELECT
            trajectory_id,
            success,
            -- Imported trajectories have no request: those of a task are a group then.
            if(request_id = '', task_id, request_id) AS group_id,
            count() OVER (PARTITION BY group_id) AS n,
            sum(success) OVER (PARTITION BY group_id) AS won
        FROM trajectories
        WHERE job = {job:String} AND purpose = 'train' AND round > before AND valid
    ),
    calls AS
    (
        SELECT DISTINCT trajectory_id, tool, error, arrayJoin(if(step < {positions:UInt16}, ['any', toString(step + 1)], ['any'])) AS at
        FROM steps
        WHERE job = {job:String} AND purpose = 'train' AND round > before
    ),
    by_group AS
    (
        SELECT
            tool,
            error,
            at,
            any(n) AS n,
            any(won) / n AS rate,
            count() AS users,
            sum(success) AS users_won
        FROM calls
        INNER JOIN (SELECT * FROM members WHERE won > 0 AND won < n) AS m ON m.trajectory_id = calls.trajectory_id
        GROUP BY tool, error, at, group_id
    )
SELECT
    tool,
    error,
    at,
    count() AS groups,
    sum(users) AS trajectories,
    round(sum(users_won) / trajectories, 3) AS success,
    round(sum(users * rate) / trajectories, 3) AS success_of_groups,
    round(sum(users_won - users * rate) / trajectories, 3) AS difference,
    round(sum(users_won - users * rate) / sqrt(sum(users * rate * (1 - rate) * (n - users) / (n - 1))), 1) AS z
FROM by_group
WHERE users < n
GROUP BY tool, error, at
ORDER BY abs(z) DESC, tool, error, at
LIMIT 40
