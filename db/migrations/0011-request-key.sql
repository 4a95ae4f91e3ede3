-- A request id stands for its session for at least 30 days, whatever becomes of
-- the session's row (decisions.md 12).  S7: it takes one machine; only a session
-- that failed, before a byte of the user's went in, makes room for another.
CREATE TABLE request_key (
	user_name TEXT NOT NULL CHECK (length(user_name) BETWEEN 1 AND 63),
	request_key TEXT NOT NULL CHECK (length(request_key) BETWEEN 1 AND 79),
	session BIGINT NOT NULL CHECK (session >= 1),
	machine_name TEXT NOT NULL CHECK (length(machine_name) BETWEEN 1 AND 63),
	taken_wall_ms BIGINT NOT NULL,
	PRIMARY KEY (user_name, request_key)
);
INSERT INTO request_key
	(user_name, request_key, session, machine_name, taken_wall_ms)
	SELECT user_name, request_key, id, machine_name, assigned_wall_ms
	FROM session WHERE request_key <> '';
CREATE INDEX request_key_by_time ON request_key (taken_wall_ms);
DROP INDEX session_of_request;
CREATE UNIQUE INDEX session_of_request ON session (user_name, request_key)
	WHERE request_key <> '' AND state <> 'failed';
