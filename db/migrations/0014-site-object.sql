-- Statements made at run time (`remuda pool create`), beside the site file's.
CREATE TABLE site_object (
	kind TEXT NOT NULL CHECK (length(kind) BETWEEN 1 AND 31),
	name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 63),
	text TEXT NOT NULL,
	who TEXT NOT NULL CHECK (length(who) <= 63),
	wall_ms BIGINT NOT NULL,
	PRIMARY KEY (kind, name)
);
