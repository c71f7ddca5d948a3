-- One trajectory, step by step: the state, what was done and what came of it, how likely that was and what else there was, its reward
-- and its advantage. A state is empty where it is not stored.
-- @param trajectory String = failed: its id; failed or succeeded stands for the newest one of training that did.
WITH
    (
        SELECT trajectory_id
        FROM trajectories
        WHERE job = {job:String}
            AND if(
                {trajectory:String} IN ('failed', 'succeeded'),
                purpose = 'train' AND valid AND success = ({trajectory:String} = 'succeeded'),
                trajectory_id = {trajectory:String}
            )
        ORDER BY round DESC, trajectory_id
        LIMIT 1
    ) AS chosen
SELECT
    trajectory_id AS trajectory,
    s.step AS step,
    ifNull(t.state_before, '') AS state,
    if(s.decision = 'generated', s.text, '') AS wrote,
    tool,
    items,
    arguments,
    result,
    error,
    verified,
    round(exp(log_probability), 4) AS probability,
    arrayStringConcat(arrayMap((action, of) -> concat(action, ' ', toString(of)), other_actions, other_probabilities), ', ') AS others,
    round(step_reward, 4) AS reward,
    round(s.advantage, 4) AS advantage,
    ifNull(t.state_after, '') AS state_after
FROM steps AS s
LEFT JOIN
(
    SELECT step, state_before, state_after
    FROM step_states
    WHERE job = {job:String} AND trajectory_id = chosen
) AS t ON t.step = s.step
WHERE s.job = {job:String} AND s.trajectory_id = chosen
ORDER BY step
