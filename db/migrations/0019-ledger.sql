-- The ledger: when which machine had what size where, for ever (S10).  What an
-- interval is of never changes, and once closed nothing of it does; that a
-- statement would change one is an error (db_sql.h).
--
-- For reports an interval lies at start_wall_ms and is length_ms long, so that
-- adjoining reports add up whatever was done to the clock in between.
CREATE TABLE ledger (
	id INTEGER PRIMARY KEY CHECK (id >= 1),
	machine BIGINT NOT NULL CHECK (machine >= 1),
	machine_name TEXT NOT NULL CHECK (length(machine_name) BETWEEN 1 AND 63),
	pool TEXT NOT NULL CHECK (length(pool) BETWEEN 1 AND 63),
	application TEXT NOT NULL CHECK (length(application) <= 63),
	host TEXT NOT NULL CHECK (length(host) <= 63),
	cluster BIGINT NOT NULL CHECK (cluster IN (0, 1)),
	vcpus BIGINT NOT NULL CHECK (vcpus BETWEEN 0 AND 4294967295),
	memory_mib BIGINT NOT NULL CHECK (memory_mib >= 0),
	start_wall_ms BIGINT NOT NULL CHECK (start_wall_ms >= 1),
	end_wall_ms BIGINT NOT NULL,
	length_ms BIGINT NOT NULL CHECK (length_ms >= 0),
	estimated BIGINT NOT NULL CHECK (estimated IN (0, 1)),
	CONSTRAINT ledger_end
		CHECK (end_wall_ms = 0 OR end_wall_ms >= start_wall_ms)
);
-- One open interval per machine.
CREATE UNIQUE INDEX ledger_open ON ledger (machine) WHERE end_wall_ms = 0;
CREATE INDEX ledger_by_machine ON ledger (machine, start_wall_ms);
CREATE INDEX ledger_by_end ON ledger (end_wall_ms);

-- A machine's open interval; its row may be saved after that is closed.
ALTER TABLE machine ADD COLUMN ledger BIGINT NOT NULL DEFAULT 0
	CHECK (ledger >= 0);

-- Who was on it: the part of a session that lies in an interval, added once the
-- session is over, behind a mark that moves in the same commit (db_ledger.c).
CREATE TABLE ledger_session (
	ledger BIGINT NOT NULL REFERENCES ledger (id)
		DEFERRABLE INITIALLY DEFERRED,
	session BIGINT NOT NULL CHECK (session >= 1),
	user_name TEXT NOT NULL CHECK (length(user_name) BETWEEN 1 AND 63),
	start_wall_ms BIGINT NOT NULL,
	length_ms BIGINT NOT NULL CHECK (length_ms >= 1),
	PRIMARY KEY (ledger, session)
);

CREATE TABLE counted_new (
	name TEXT NOT NULL PRIMARY KEY
		CHECK (name IN ('started', 'ended', 'decided', 'ran', 'billed')),
	upto_wall_ms BIGINT NOT NULL
);
INSERT INTO counted_new (name, upto_wall_ms)
	SELECT name, upto_wall_ms FROM counted;
DROP TABLE counted;
ALTER TABLE counted_new RENAME TO counted;
-- Sessions before this had no interval to be in.
INSERT INTO counted (name, upto_wall_ms)
	SELECT 'billed', upto_wall_ms FROM counted WHERE name = 'ended';
