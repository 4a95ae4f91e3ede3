-- Tokens made while the engine runs, by their SHA-256: who reads the file
-- learns none.  S17: one that works once is spent by its first session's commit.
CREATE TABLE token (
	hash TEXT NOT NULL PRIMARY KEY CHECK (length(hash) = 64),
	user_name TEXT NOT NULL CHECK (length(user_name) BETWEEN 1 AND 63),
	application TEXT NOT NULL CHECK (length(application) <= 63),
	once BIGINT NOT NULL CHECK (once IN (0, 1)),
	who TEXT NOT NULL CHECK (length(who) <= 63),
	created_wall_ms BIGINT NOT NULL,
	expires_wall_ms BIGINT NOT NULL,
	used_wall_ms BIGINT NOT NULL
);
