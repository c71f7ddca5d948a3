-- One trajectory as a conversation: what was said to the policy, what it said, and what came of its calls. A policy that chooses is shown
-- by its calls. Texts are as the store has them, cut after 4000 characters.
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
    step,
    line.1 AS role,
    line.2 AS tool,
    line.3 AS said,
    if(role = 'assistant' AND position > before, tokens_in, 0) AS tokens_in,
    if(role = 'assistant' AND position > before, tokens_out, 0) AS tokens_out
FROM
(
    SELECT
        trajectory_id,
        step,
        tokens_in,
        tokens_out,
        arrayMap(
            message -> (JSONExtractString(message, 'role'), JSONExtractString(message, 'tool'), JSONExtractString(message, 'content')),
            JSONExtractArrayRaw(messages)
        ) AS read,
        [('assistant', '', if(decision = 'generated', text, concat(tool, ' ', arguments)))] AS wrote,
        -- In a conversation the next step has read them.
        arrayConcat(
            if(tool = '' AND NOT error, [], [('tool', toString(tool), toString(result))]),
            arrayMap(call -> ('tool', JSONExtractString(call, 'tool'), JSONExtractString(call, 'result')), further_calls)
        ) AS results,
        if(messages = '' OR step = max(step) OVER (PARTITION BY trajectory_id), results, []) AS came,
        length(read) AS before,
        arrayConcat(read, wrote, came) AS lines
    FROM steps AS s FINAL
    WHERE s.job = {job:String} AND s.trajectory_id = chosen
)
ARRAY JOIN lines AS line, arrayEnumerate(lines) AS position
ORDER BY step, position
