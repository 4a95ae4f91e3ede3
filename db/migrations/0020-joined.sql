-- Further connections of sessions (decisions.md 16), while they are there; their
-- ids are of the sessions' counter.  A row is written before the connection's
-- gateway hears of it and goes with the connection.
CREATE TABLE joined (
	id BIGINT NOT NULL PRIMARY KEY CHECK (id >= 1),
	session BIGINT NOT NULL REFERENCES session (id)
		DEFERRABLE INITIALLY DEFERRED,
	gateway BIGINT NOT NULL CHECK (gateway >= 0),
	listener TEXT NOT NULL CHECK (length(listener) BETWEEN 1 AND 63),
	peer TEXT NOT NULL CHECK (length(peer) <= 63),
	joined_wall_ms BIGINT NOT NULL,
	conn BIGINT NOT NULL
);
CREATE INDEX joined_of_session ON joined (session);

-- How many connections a session has had so far.
ALTER TABLE session ADD COLUMN connections BIGINT NOT NULL DEFAULT 1
	CHECK (connections >= 0);
