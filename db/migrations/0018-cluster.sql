-- Clusters: what is wanted of each, the operations that bring it about, and why
-- (engine/core/rows.h).  Numbers are 0 where nothing is said, as there.

ALTER TABLE machine ADD COLUMN vcpus BIGINT NOT NULL DEFAULT 0
	CHECK (vcpus BETWEEN 0 AND 4294967295);
ALTER TABLE machine ADD COLUMN memory_mib BIGINT NOT NULL DEFAULT 0
	CHECK (memory_mib >= 0);
-- Its part in its cluster.
ALTER TABLE machine ADD COLUMN node TEXT NOT NULL DEFAULT 'none'
	CHECK (node = 'none' OR node = 'checked' OR node = 'serving'
		OR node = 'draining');
-- The change that makes it or takes it away; not a reference: a change that is
-- over may be deleted before its machine.
ALTER TABLE machine ADD COLUMN change_id BIGINT NOT NULL DEFAULT 0
	CHECK (change_id >= 0);

CREATE TABLE cluster (
	name TEXT NOT NULL PRIMARY KEY CHECK (length(name) BETWEEN 1 AND 63),
	nodes BIGINT NOT NULL CHECK (nodes BETWEEN 0 AND 4294967295),
	vcpus BIGINT NOT NULL CHECK (vcpus BETWEEN 0 AND 4294967295),
	memory_mib BIGINT NOT NULL CHECK (memory_mib >= 0),
	pin_nodes BIGINT NOT NULL CHECK (pin_nodes BETWEEN 0 AND 4294967295),
	pin_vcpus BIGINT NOT NULL CHECK (pin_vcpus BETWEEN 0 AND 4294967295),
	pin_memory_mib BIGINT NOT NULL CHECK (pin_memory_mib >= 0),
	pin_who TEXT NOT NULL CHECK (length(pin_who) <= 63),
	pin_wall_ms BIGINT NOT NULL,
	paused BIGINT NOT NULL CHECK (paused IN (0, 1)),
	grown_wall_ms BIGINT NOT NULL,
	shrunk_wall_ms BIGINT NOT NULL,
	transactions BIGINT NOT NULL CHECK (transactions >= 0),
	replayed BIGINT NOT NULL CHECK (replayed >= 0),
	failed BIGINT NOT NULL CHECK (failed >= 0),
	reset BIGINT NOT NULL CHECK (reset >= 0)
);

CREATE TABLE change (
	id INTEGER PRIMARY KEY CHECK (id >= 1),
	cluster TEXT NOT NULL CHECK (length(cluster) BETWEEN 1 AND 63),
	kind TEXT NOT NULL CHECK (kind IN ('resize', 'replace', 'move')),
	who TEXT NOT NULL CHECK (length(who) <= 63),
	started_wall_ms BIGINT NOT NULL,
	from_nodes BIGINT NOT NULL CHECK (from_nodes BETWEEN 0 AND 4294967295),
	from_vcpus BIGINT NOT NULL CHECK (from_vcpus BETWEEN 0 AND 4294967295),
	from_memory_mib BIGINT NOT NULL CHECK (from_memory_mib >= 0),
	state TEXT NOT NULL CHECK (state IN ('running', 'undoing', 'done',
		'failed', 'cancelled')),
	step TEXT NOT NULL CHECK (step IN ('place', 'create', 'check', 'join',
		'transfer', 'verify', 'free', 'end')),
	strategy TEXT NOT NULL CHECK (strategy IN ('none', 'failover',
		'shutdown', 'move', 'live')),
	decision BIGINT NOT NULL CHECK (decision >= 0),
	to_nodes BIGINT NOT NULL CHECK (to_nodes BETWEEN 0 AND 4294967295),
	to_vcpus BIGINT NOT NULL CHECK (to_vcpus BETWEEN 0 AND 4294967295),
	to_memory_mib BIGINT NOT NULL CHECK (to_memory_mib >= 0),
	step_wall_ms BIGINT NOT NULL,
	ended_wall_ms BIGINT NOT NULL,
	pairs TEXT NOT NULL CHECK (length(pairs) <= 4095),
	text TEXT NOT NULL CHECK (length(text) <= 199),
	-- Over is a fact with a time, never one without the other.
	CONSTRAINT change_ended
		CHECK ((state IN ('running', 'undoing')) = (ended_wall_ms = 0))
);
-- One at a time for each cluster.
CREATE UNIQUE INDEX change_of_cluster ON change (cluster)
	WHERE ended_wall_ms = 0;
CREATE INDEX change_by_cluster ON change (cluster, id);
CREATE INDEX change_by_start ON change (started_wall_ms);
CREATE INDEX change_by_end ON change (ended_wall_ms)
	WHERE ended_wall_ms > 0;

CREATE TABLE decision (
	id INTEGER PRIMARY KEY CHECK (id >= 1),
	wall_ms BIGINT NOT NULL,
	object TEXT NOT NULL CHECK (length(object) BETWEEN 1 AND 79),
	source TEXT NOT NULL CHECK (length(source) BETWEEN 1 AND 79),
	version TEXT NOT NULL CHECK (length(version) <= 32),
	inputs TEXT NOT NULL CHECK (length(inputs) <= 1023),
	wish TEXT NOT NULL CHECK (length(wish) <= 63),
	outcome TEXT NOT NULL CHECK (outcome IN ('kept', 'changed', 'held_back',
		'failed', 'dry')),
	change BIGINT NOT NULL CHECK (change >= 0),
	text TEXT NOT NULL CHECK (length(text) <= 199)
);
-- The last of each object and source is what a restart takes up.
CREATE INDEX decision_last ON decision (object, source, id DESC);
CREATE INDEX decision_by_object ON decision (object, id);
CREATE INDEX decision_by_source ON decision (source, id);
CREATE INDEX decision_by_time ON decision (wall_ms);
-- Those that changed nothing are many, and go sooner.
CREATE INDEX decision_kept_by_time ON decision (wall_ms)
	WHERE outcome = 'kept';

CREATE TABLE counter_new (
	name TEXT NOT NULL PRIMARY KEY
		CHECK (name IN ('machine', 'session', 'request', 'event',
			'change', 'decision', 'ledger')),
	next BIGINT NOT NULL CHECK (next >= 1)
);
INSERT INTO counter_new (name, next) SELECT name, next FROM counter;
DROP TABLE counter;
ALTER TABLE counter_new RENAME TO counter;
INSERT INTO counter (name, next) VALUES ('change', 1);
INSERT INTO counter (name, next) VALUES ('decision', 1);
INSERT INTO counter (name, next) VALUES ('ledger', 1);
