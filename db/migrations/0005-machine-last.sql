-- Each session names the one before it on a machine of its name, and this table
-- the last: the chain is what history by machine follows.  Beside the session's
-- own page a new session then writes to none that only its machine's sessions
-- share, as it did to two indexes that begin with the machine.
CREATE TABLE machine_last (
	name TEXT NOT NULL PRIMARY KEY CHECK (length(name) BETWEEN 1 AND 63),
	machine BIGINT NOT NULL CHECK (machine >= 1),
	-- S1: the next session's is higher, or its machine is a newer one.
	incarnation BIGINT NOT NULL CHECK (incarnation >= 0),
	session BIGINT NOT NULL CHECK (session >= 1)
);
ALTER TABLE session ADD COLUMN prev BIGINT NOT NULL DEFAULT 0
	CHECK (prev >= 0);
UPDATE session SET prev = coalesce((SELECT max(o.id) FROM session o
	WHERE o.machine_name = session.machine_name AND o.id < session.id), 0);
INSERT INTO machine_last (name, machine, incarnation, session)
	SELECT s.machine_name, s.machine, s.incarnation, s.id FROM session s
	WHERE s.id = (SELECT max(o.id) FROM session o
		WHERE o.machine_name = s.machine_name);
DROP INDEX session_by_machine;
DROP INDEX session_of_incarnation;
