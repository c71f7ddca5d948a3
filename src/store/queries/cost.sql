-- What the job used, day by day (UTC): trajectories, decisions, seconds in planner and tools, and the tokens and the cost that the
-- flow's tools and its reward say.
SELECT day, trajectories, decisions, planner_seconds, tool_seconds, tokens_in, tokens_out, cost
FROM usage_by_day
WHERE job = {job:String}
ORDER BY day
