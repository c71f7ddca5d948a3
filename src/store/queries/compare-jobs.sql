-- Two jobs side by side: success of each in its newest evaluation of the trained planner and in all of its training, and what the
-- other is better by, with 95 % intervals (Wilson's for a rate, Newcombe's for a difference). Trajectories count as independent.
-- Rates are of the trajectories that were judged; `not_judged` counts those that failed for reasons of the infrastructure.
-- Of imported jobs everything counts, whoever acted: they are in training unless they say otherwise.
-- @param other String = '': the job to compare with.
WITH
    @use intervals
SELECT
    purpose,
    n_a AS trajectories,
    lost_a AS not_judged,
    round(p_a, 4) AS success,
    round(wilson_low(p_a, n_a), 4) AS success_low,
    round(wilson_high(p_a, n_a), 4) AS success_high,
    n_b AS trajectories_of_other,
    lost_b AS not_judged_of_other,
    round(p_b, 4) AS success_of_other,
    round(wilson_low(p_b, n_b), 4) AS other_low,
    round(wilson_high(p_b, n_b), 4) AS other_high,
    round(p_b - p_a, 4) AS difference,
    round(newcombe_low(p_a, n_a, p_b, n_b), 4) AS low,
    round(newcombe_high(p_a, n_a, p_b, n_b), 4) AS high,
    round(reward_b - reward_a, 4) AS reward_difference
FROM
(
    SELECT
        purpose,
        countIf(job = {job:String} AND valid) AS n_a,
        countIf(job = {job:String} AND NOT valid) AS lost_a,
        countIf(job = {job:String} AND valid AND success) / n_a AS p_a,
        countIf(job = {other:String} AND valid) AS n_b,
        countIf(job = {other:String} AND NOT valid) AS lost_b,
        countIf(job = {other:String} AND valid AND success) / n_b AS p_b,
        avgIf(reward, job = {job:String} AND valid) AS reward_a,
        avgIf(reward, job = {other:String} AND valid) AS reward_b
    FROM trajectories
    WHERE job IN ({job:String}, {other:String}) AND purpose != 'serve'
        AND (evaluation = '' OR agent = 'policy' AND (job, policy_version) IN
        (
            SELECT job, max(policy_version)
            FROM trajectories
            WHERE job IN ({job:String}, {other:String}) AND agent = 'policy' AND startsWith(evaluation, 'trained@')
            GROUP BY job
        ))
    GROUP BY purpose
)
WHERE n_a > 0 AND n_b > 0
ORDER BY purpose DESC
