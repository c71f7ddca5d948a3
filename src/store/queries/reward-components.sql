-- What the parts of the reward were worth in training: the mean unweighted value of each component by policy version, in at most
-- 10 buckets of versions, for trajectories that succeeded and for those that did not.
WITH
    (SELECT max(policy_version) FROM trajectories WHERE job = {job:String} AND purpose = 'train') AS newest
SELECT
    min(policy_version) AS from_version,
    max(policy_version) AS to_version,
    component,
    countIf(success) AS successes,
    if(successes = 0, NULL, round(avgIf(value, success), 4)) AS mean_of_successes,
    countIf(NOT success) AS failures,
    if(failures = 0, NULL, round(avgIf(value, NOT success), 4)) AS mean_of_failures
FROM
(
    SELECT policy_version, success, component, value
    FROM trajectories
    ARRAY JOIN mapKeys(components) AS component, mapValues(components) AS value
    WHERE job = {job:String} AND purpose = 'train' AND valid
)
GROUP BY intDiv(policy_version * 10, newest + 1), component
ORDER BY from_version, component
