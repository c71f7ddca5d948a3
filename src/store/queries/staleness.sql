-- How old the groups of each round were and what the round waited for, in at most 20 buckets of rounds.
WITH
    (SELECT max(version) FROM staleness WHERE job = {job:String}) AS newest
SELECT
    min(version) AS from_version,
    max(version) AS to_version,
    round(avg(staleness_mean), 2) AS staleness,
    max(staleness_max) AS staleness_worst,
    sum(trained) AS trained,
    sum(filtered) AS filtered,
    sum(expired) AS expired,
    sum(failed) AS failed,
    round(avg(wait_groups_ms), 1) AS wait_ms,
    round(avg(compute_ms), 1) AS compute_ms,
    round(avg(commit_ms), 1) AS commit_ms
FROM staleness
WHERE job = {job:String}
GROUP BY intDiv(version * 20, newest + 1)
ORDER BY from_version
