-- Schema 1.  Never edited once released: changes are 0002 and later.
--
-- SQL that a second store can run: BIGINT milliseconds and truth values, TEXT
-- words for states, no functions but length().  INTEGER PRIMARY KEY is what
-- makes SQLite keep rows in order of id; another store reads BIGINT there.
-- 0 means "not yet" or "none" as in engine/core/rows.h, but links to other
-- rows are NULL when there is none, so that foreign keys hold.
--
-- S1, S2 ... are the invariants that a constraint makes impossible to break.

-- One row: which engine may write, and whether the last one said goodbye.
CREATE TABLE engine (
	id INTEGER PRIMARY KEY CHECK (id = 1),
	term BIGINT NOT NULL CHECK (term >= 0),
	turn BIGINT NOT NULL CHECK (turn >= 0),
	pid BIGINT NOT NULL,
	closed BIGINT NOT NULL CHECK (closed IN (0, 1))
);
INSERT INTO engine (id, term, turn, pid, closed) VALUES (1, 0, 0, 0, 1);

-- Ids below next may be in use; none of them is given out again.
CREATE TABLE counter (
	name TEXT NOT NULL PRIMARY KEY
		CHECK (name IN ('machine', 'session', 'request', 'event')),
	next BIGINT NOT NULL CHECK (next >= 1)
);
INSERT INTO counter (name, next) VALUES ('machine', 1);
INSERT INTO counter (name, next) VALUES ('session', 1);
INSERT INTO counter (name, next) VALUES ('request', 1);
INSERT INTO counter (name, next) VALUES ('event', 1);

CREATE TABLE session (
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
	state TEXT NOT NULL
		CHECK (state IN ('assigned', 'active', 'closed', 'lost', 'failed')),
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
	-- Ended is a fact with a time, never one without the other.
	CONSTRAINT session_ended
		CHECK ((state IN ('assigned', 'active')) = (ended_wall_ms = 0))
);
-- S1: an incarnation of a machine is given to one user, once.
CREATE UNIQUE INDEX session_of_incarnation ON session (machine, incarnation);
-- S2: one live session per machine.
CREATE UNIQUE INDEX session_live_on_machine ON session (machine)
	WHERE ended_wall_ms = 0;
-- S7: a request id takes one machine.
CREATE UNIQUE INDEX session_of_request ON session (user_name, request_key)
	WHERE request_key <> '';
CREATE INDEX session_by_user ON session (user_name, id);
CREATE INDEX session_by_machine ON session (machine_name, id);
CREATE INDEX session_by_time ON session (assigned_wall_ms, pool);

CREATE TABLE machine (
	id INTEGER PRIMARY KEY CHECK (id >= 1),
	name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 63),
	pool TEXT NOT NULL CHECK (length(pool) BETWEEN 1 AND 63),
	slot BIGINT NOT NULL CHECK (slot BETWEEN 1 AND 4294967295),
	host TEXT NOT NULL CHECK (length(host) <= 63),
	uuid TEXT NOT NULL CHECK (length(uuid) <= 36),
	incarnation BIGINT NOT NULL CHECK (incarnation >= 0),
	built BIGINT NOT NULL CHECK (built >= 0),
	state TEXT NOT NULL
		CHECK (state IN ('defined', 'booting', 'preparing', 'ready',
			'saving', 'saved', 'waking', 'reserved', 'in_session',
			'cleaning', 'held', 'quarantined', 'retiring', 'gone')),
	wish TEXT NOT NULL CHECK (wish IN ('run', 'hold', 'retire')),
	rung TEXT NOT NULL CHECK (rung IN ('clean', 'revert', 'rebuild', 'none')),
	dirty BIGINT NOT NULL CHECK (dirty IN (0, 1)),
	session BIGINT REFERENCES session (id) DEFERRABLE INITIALLY DEFERRED,
	failures BIGINT NOT NULL CHECK (failures BETWEEN 0 AND 4294967295),
	reason TEXT NOT NULL CHECK (length(reason) <= 199),
	since_wall_ms BIGINT NOT NULL,
	created_wall_ms BIGINT NOT NULL,
	boot_ms BIGINT NOT NULL CHECK (boot_ms >= 0),
	prepare_ms BIGINT NOT NULL CHECK (prepare_ms >= 0),
	clean_ms BIGINT NOT NULL CHECK (clean_ms >= 0),
	sessions BIGINT NOT NULL CHECK (sessions >= 0),
	-- S4: what is offered is clean.
	CONSTRAINT machine_ready_is_clean CHECK (state <> 'ready' OR dirty = 0)
);
CREATE UNIQUE INDEX machine_name ON machine (name) WHERE state <> 'gone';
-- S2: one machine per session.
CREATE UNIQUE INDEX machine_of_session ON machine (session)
	WHERE session IS NOT NULL;

-- History of requests that waited, were refused or given up.
CREATE TABLE request (
	id INTEGER PRIMARY KEY CHECK (id >= 1),
	user_name TEXT NOT NULL CHECK (length(user_name) <= 63),
	application TEXT NOT NULL CHECK (length(application) <= 63),
	listener TEXT NOT NULL CHECK (length(listener) <= 63),
	peer TEXT NOT NULL CHECK (length(peer) <= 63),
	request_key TEXT NOT NULL CHECK (length(request_key) <= 79),
	state TEXT NOT NULL
		CHECK (state IN ('assigned', 'refused', 'cancelled')),
	session BIGINT REFERENCES session (id) DEFERRABLE INITIALLY DEFERRED,
	requested_wall_ms BIGINT NOT NULL,
	decided_wall_ms BIGINT NOT NULL,
	wait_ms BIGINT NOT NULL CHECK (wait_ms >= 0),
	code TEXT NOT NULL CHECK (length(code) <= 31),
	text TEXT NOT NULL CHECK (length(text) <= 199),
	CONSTRAINT request_assigned
		CHECK ((state = 'assigned') = (session IS NOT NULL))
);
CREATE INDEX request_by_user ON request (user_name, id);
CREATE INDEX request_by_session ON request (session) WHERE session IS NOT NULL;
CREATE INDEX request_by_time ON request (decided_wall_ms);

CREATE TABLE event (
	id INTEGER PRIMARY KEY CHECK (id >= 1),
	wall_ms BIGINT NOT NULL,
	severity TEXT NOT NULL CHECK (severity IN ('info', 'warn', 'fail')),
	kind TEXT NOT NULL CHECK (length(kind) <= 15),
	object TEXT NOT NULL CHECK (length(object) <= 79),
	text TEXT NOT NULL CHECK (length(text) <= 199)
);
CREATE INDEX event_by_object ON event (object, id);
CREATE INDEX event_by_time ON event (wall_ms);

-- Run-time changes over the site file; named for what it replaces there.
CREATE TABLE site_override (
	key TEXT NOT NULL PRIMARY KEY CHECK (length(key) BETWEEN 1 AND 127),
	value BIGINT NOT NULL,
	who TEXT NOT NULL CHECK (length(who) <= 63),
	wall_ms BIGINT NOT NULL
);

-- Site texts by the hash of their bytes.
CREATE TABLE bundle (
	hash TEXT NOT NULL PRIMARY KEY CHECK (length(hash) >= 1),
	json TEXT NOT NULL,
	source TEXT NOT NULL,
	wall_ms BIGINT NOT NULL
);
