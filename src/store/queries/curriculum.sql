-- How certain the curriculum is of its tasks, version by version: tasks by their success posterior.
SELECT
    version,
    count() AS tasks,
    countIf(mean < 0.1) AS hard,
    countIf(mean >= 0.1 AND mean < 0.3) AS below,
    countIf(mean >= 0.3 AND mean <= 0.7) AS even,
    countIf(mean > 0.7 AND mean <= 0.9) AS above,
    countIf(mean > 0.9) AS easy,
    round(avg(mean), 3) AS success,
    round(avg(n), 1) AS trajectories
FROM exploration
WHERE job = {job:String} AND kind = 'task'
GROUP BY version
ORDER BY version
