-- Training success and reward by policy version, in at most 20 buckets of versions. Success, reward and steps are those of the trajectories that
-- were judged, empty where none was; `not_judged` of `trajectories` failed for reasons of the infrastructure.
WITH
    (SELECT max(policy_version) FROM success_by_version WHERE job = {job:String} AND purpose = 'train') AS newest
SELECT
    min(policy_version) AS from_version,
    max(policy_version) AS to_version,
    sum(trajectories) AS trajectories,
    sum(counted.trajectories - counted.valid_trajectories) AS not_judged,
    round(sum(success_rate * valid_trajectories) / nullIf(sum(valid_trajectories), 0), 3) AS success,
    round(sum(reward_mean * valid_trajectories) / nullIf(sum(valid_trajectories), 0), 3) AS reward,
    round(sum(steps_mean * valid_trajectories) / nullIf(sum(valid_trajectories), 0), 1) AS steps
FROM success_by_version AS counted
WHERE job = {job:String} AND purpose = 'train'
GROUP BY intDiv(policy_version * 20, newest + 1)
ORDER BY from_version
