-- Two policy versions of a job side by side: success of each, and what b is better by, with 95 % intervals (Wilson's for a rate,
-- Newcombe's for a difference). Trajectories count as independent: those of one group are of one task, so that in training
-- differences of few versions are less certain than the interval says. Rates are of the trajectories that were judged; `not_judged_a` and
-- `not_judged_b` count those that failed for reasons of the infrastructure.
-- @param a Int64 = 0: the first version of the one side.
-- @param b Int64 = -1: the first version of the other side; -1 is the newest `width` versions, fewer where they would meet a's.
-- @param width UInt32 = 10: how many versions are taken together on each side.
WITH
    (SELECT max(policy_version) FROM trajectories WHERE job = {job:String} AND (agent = 'policy' OR evaluation = '')) AS newest,
    -- Of a job with few versions each side gets less than half.
    if({b:Int64} < 0, least({width:UInt32}, intDiv(greatest(0, toInt64(newest) - {a:Int64} + 1), 2)), {width:UInt32}) AS wide,
    if({b:Int64} < 0, toInt64(newest) - wide + 1, {b:Int64}) AS other,
    @use intervals
SELECT
    purpose,
    n_a AS trajectories_a,
    lost_a AS not_judged_a,
    round(p_a, 4) AS success_a,
    round(wilson_low(p_a, n_a), 4) AS low_a,
    round(wilson_high(p_a, n_a), 4) AS high_a,
    n_b AS trajectories_b,
    lost_b AS not_judged_b,
    round(p_b, 4) AS success_b,
    round(wilson_low(p_b, n_b), 4) AS low_b,
    round(wilson_high(p_b, n_b), 4) AS high_b,
    round(p_b - p_a, 4) AS difference,
    round(newcombe_low(p_a, n_a, p_b, n_b), 4) AS low,
    round(newcombe_high(p_a, n_a, p_b, n_b), 4) AS high,
    round(reward_b - reward_a, 4) AS reward_difference
FROM
(
    WITH
        policy_version >= {a:Int64} AND policy_version < {a:Int64} + wide AS in_a,
        policy_version >= other AND policy_version < other + wide AS in_b
    SELECT
        purpose,
        countIf(in_a AND valid) AS n_a,
        countIf(in_a AND NOT valid) AS lost_a,
        countIf(in_a AND valid AND success) / n_a AS p_a,
        countIf(in_b AND valid) AS n_b,
        countIf(in_b AND NOT valid) AS lost_b,
        countIf(in_b AND valid AND success) / n_b AS p_b,
        avgIf(reward, in_a AND valid) AS reward_a,
        avgIf(reward, in_b AND valid) AS reward_b
    FROM trajectories
    WHERE job = {job:String} AND (agent = 'policy' OR evaluation = '') AND purpose != 'serve'
    GROUP BY purpose
)
WHERE n_a > 0 AND n_b > 0
ORDER BY purpose DESC
