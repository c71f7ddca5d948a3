DROP VIEW IF EXISTS tool_choice;
DROP VIEW IF EXISTS staleness;
DROP VIEW IF EXISTS failure_classes;
DROP VIEW IF EXISTS time_breakdown;
DROP VIEW IF EXISTS tool_usage;
DROP VIEW IF EXISTS success_by_version;
