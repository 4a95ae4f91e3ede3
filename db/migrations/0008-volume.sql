-- Files of ours in the storage pools of hosts (decisions.md 28).  A row is
-- written before its file is made, with inode 0, and goes after the file: what
-- has no row is not deleted.

CREATE TABLE volume (
	name TEXT NOT NULL PRIMARY KEY CHECK (length(name) BETWEEN 1 AND 127),
	-- S11: a machine's row outlives those of its volumes.
	machine BIGINT NOT NULL REFERENCES machine (id)
		DEFERRABLE INITIALLY DEFERRED,
	host TEXT NOT NULL CHECK (length(host) BETWEEN 1 AND 63),
	pool TEXT NOT NULL CHECK (length(pool) BETWEEN 1 AND 79),
	kind TEXT NOT NULL CHECK (kind IN ('disk', 'seed', 'nvram', 'session', 'ram')),
	base TEXT NOT NULL CHECK (length(base) <= 63),
	intended_wall_ms BIGINT NOT NULL,
	key TEXT NOT NULL CHECK (length(key) <= 1023),
	inode BIGINT NOT NULL,
	-- Made is a fact with a place, never one without the other.
	CONSTRAINT volume_made CHECK ((inode <> 0) = (key <> ''))
);
CREATE INDEX volume_of_machine ON volume (machine);
