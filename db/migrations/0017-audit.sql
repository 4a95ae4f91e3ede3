-- Who told the engine to change what, and what came of it.
CREATE TABLE audit (
	id INTEGER PRIMARY KEY CHECK (id >= 1),
	wall_ms BIGINT NOT NULL,
	who TEXT NOT NULL CHECK (length(who) <= 63),
	uid BIGINT NOT NULL CHECK (uid BETWEEN 0 AND 4294967295),
	pid BIGINT NOT NULL CHECK (pid BETWEEN 0 AND 4294967295),
	program TEXT NOT NULL CHECK (length(program) <= 31),
	verb TEXT NOT NULL CHECK (length(verb) <= 31),
	arguments TEXT NOT NULL CHECK (length(arguments) <= 399),
	dry_run BIGINT NOT NULL CHECK (dry_run IN (0, 1)),
	code TEXT NOT NULL CHECK (length(code) <= 31),
	text TEXT NOT NULL CHECK (length(text) <= 199)
);
CREATE INDEX audit_by_time ON audit (wall_ms);
