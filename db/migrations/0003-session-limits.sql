-- A session's longest time as it stands now, and what its user has taken of
-- the time users may take themselves.
ALTER TABLE session ADD COLUMN ends_wall_ms BIGINT NOT NULL DEFAULT 0;
ALTER TABLE session ADD COLUMN extended_ms BIGINT NOT NULL DEFAULT 0
	CHECK (extended_ms >= 0);
