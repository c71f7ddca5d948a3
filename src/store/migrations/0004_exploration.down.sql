DROP TABLE IF EXISTS exploration;
