-- Counts per hour, added up once from the rows as they come (db_hours.c), and
-- when machines ran.

-- A machine's domain from its making to its end; until_wall_ms 0 = it runs.
CREATE TABLE machine_run (
	machine BIGINT NOT NULL CHECK (machine >= 1),
	since_wall_ms BIGINT NOT NULL CHECK (since_wall_ms >= 1),
	until_wall_ms BIGINT NOT NULL,
	pool TEXT NOT NULL CHECK (length(pool) BETWEEN 1 AND 63),
	PRIMARY KEY (machine, since_wall_ms)
);
CREATE UNIQUE INDEX machine_run_live ON machine_run (machine)
	WHERE until_wall_ms = 0;
CREATE INDEX machine_run_by_end ON machine_run (until_wall_ms);
CREATE INDEX machine_run_by_start ON machine_run (since_wall_ms);

-- By hour (UTC, its start), pool and application.  Requests have no pool, what
-- machines ran has no application: '' there.
CREATE TABLE hour (
	start_wall_ms BIGINT NOT NULL,
	pool TEXT NOT NULL,
	application TEXT NOT NULL,
	sessions BIGINT NOT NULL,
	closed BIGINT NOT NULL,
	lost BIGINT NOT NULL,
	failed BIGINT NOT NULL,
	refused BIGINT NOT NULL,
	cancelled BIGINT NOT NULL,
	waited BIGINT NOT NULL,
	wait_ms BIGINT NOT NULL,
	bytes_in BIGINT NOT NULL,
	bytes_out BIGINT NOT NULL,
	session_ms BIGINT NOT NULL,
	machine_ms BIGINT NOT NULL,
	PRIMARY KEY (start_wall_ms, pool, application)
);
-- How long sessions waited for their machine: so many at most so long.
CREATE TABLE hour_wait (
	start_wall_ms BIGINT NOT NULL,
	pool TEXT NOT NULL,
	application TEXT NOT NULL,
	at_most_ms BIGINT NOT NULL,
	waits BIGINT NOT NULL,
	PRIMARY KEY (start_wall_ms, pool, application, at_most_ms)
);
-- All up to and with this time is counted; moved in the counts' own commit.
CREATE TABLE counted (
	name TEXT NOT NULL PRIMARY KEY
		CHECK (name IN ('started', 'ended', 'decided', 'ran')),
	upto_wall_ms BIGINT NOT NULL
);
INSERT INTO counted (name, upto_wall_ms) VALUES ('started', 0);
INSERT INTO counted (name, upto_wall_ms) VALUES ('ended', 0);
INSERT INTO counted (name, upto_wall_ms) VALUES ('decided', 0);
INSERT INTO counted (name, upto_wall_ms) VALUES ('ran', 0);

CREATE INDEX session_by_end ON session (ended_wall_ms)
	WHERE ended_wall_ms > 0;
