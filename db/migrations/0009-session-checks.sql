-- SQLite makes a temporary table for `state IN (...)` of more than two words,
-- each time a row is written: a quarter of what writing a session cost.  The
-- same table with the same constraints, said with OR.
CREATE TABLE session_new (
	id INTEGER PRIMARY KEY CHECK (id >= 1),
	machine BIGINT NOT NULL CHECK (machine >= 1),
	incarnation BIGINT NOT NULL CHECK (incarnation >= 0),
	nonce BIGINT NOT NULL,
	machine_name TEXT NOT NULL CHECK (length(machine_name) BETWEEN 1 AND 63),
	pool TEXT NOT NULL CHECK (length(pool) BETWEEN 1 AND 63),
	user_name TEXT NOT NULL CHECK (length(user_name) BETWEEN 1 AND 63),
	application TEXT NOT NULL CHECK (length(application) <= 63),
	listener TEXT NOT NULL CHECK (length(listener) <= 63),
	request_key TEXT NOT NULL CHECK (length(request_key) <= 79),
	requested_wall_ms BIGINT NOT NULL,
	assigned_wall_ms BIGINT NOT NULL,
	wait_ms BIGINT NOT NULL CHECK (wait_ms >= 0),
	state TEXT NOT NULL CHECK (state = 'closed' OR state = 'assigned'
		OR state = 'active' OR state = 'lost' OR state = 'failed'),
	peer TEXT NOT NULL CHECK (length(peer) <= 63),
	gateway BIGINT NOT NULL CHECK (gateway BETWEEN 0 AND 4294967295),
	conn BIGINT NOT NULL,
	accepted_wall_ms BIGINT NOT NULL,
	ended_wall_ms BIGINT NOT NULL,
	accept_ms BIGINT NOT NULL CHECK (accept_ms >= 0),
	clean_ms BIGINT NOT NULL,
	cleaned_wall_ms BIGINT NOT NULL,
	bytes_in BIGINT NOT NULL CHECK (bytes_in >= 0),
	bytes_out BIGINT NOT NULL CHECK (bytes_out >= 0),
	end_text TEXT NOT NULL CHECK (length(end_text) <= 199),
	ends_wall_ms BIGINT NOT NULL DEFAULT 0,
	extended_ms BIGINT NOT NULL DEFAULT 0 CHECK (extended_ms >= 0),
	prev BIGINT NOT NULL DEFAULT 0 CHECK (prev >= 0),
	-- Ended is a fact with a time, never one without the other.
	CONSTRAINT session_ended
		CHECK ((state IN ('assigned', 'active')) = (ended_wall_ms = 0))
);
INSERT INTO session_new (id, machine, incarnation, nonce, machine_name, pool,
	user_name, application, listener, request_key, requested_wall_ms,
	assigned_wall_ms, wait_ms, state, peer, gateway, conn, accepted_wall_ms,
	ended_wall_ms, accept_ms, clean_ms, cleaned_wall_ms, bytes_in, bytes_out,
	end_text, ends_wall_ms, extended_ms, prev)
	SELECT id, machine, incarnation, nonce, machine_name, pool, user_name,
	application, listener, request_key, requested_wall_ms, assigned_wall_ms,
	wait_ms, state, peer, gateway, conn, accepted_wall_ms, ended_wall_ms,
	accept_ms, clean_ms, cleaned_wall_ms, bytes_in, bytes_out, end_text,
	ends_wall_ms, extended_ms, prev FROM session;
DROP TABLE session;
ALTER TABLE session_new RENAME TO session;
-- S2: one live session per machine.
CREATE UNIQUE INDEX session_live_on_machine ON session (machine)
	WHERE ended_wall_ms = 0;
-- S7: a request id takes one machine.
CREATE UNIQUE INDEX session_of_request ON session (user_name, request_key)
	WHERE request_key <> '';
CREATE INDEX session_by_user ON session (user_name, id);
CREATE INDEX session_by_time ON session (assigned_wall_ms, pool);
CREATE INDEX session_by_end ON session (ended_wall_ms)
	WHERE ended_wall_ms > 0;
