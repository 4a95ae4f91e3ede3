-- Schema 2.  Which site was in force from when on: a row each time the engine
-- applied one that differs from the last.
CREATE TABLE site_version (
	id INTEGER PRIMARY KEY CHECK (id >= 1),
	hash TEXT NOT NULL REFERENCES bundle (hash),
	who TEXT NOT NULL CHECK (length(who) <= 63),
	wall_ms BIGINT NOT NULL
);
