-- The SHA-256 of the ticket that a session of a counted request waits for,
-- empty once somebody has come with it (S17), or when there never was one.
ALTER TABLE session ADD COLUMN ticket TEXT NOT NULL DEFAULT ''
	CHECK (length(ticket) IN (0, 64));
