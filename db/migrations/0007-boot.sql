-- Which start of the computer the engine's rows speak of: what ran on it
-- before that is gone.
ALTER TABLE engine ADD COLUMN boot TEXT NOT NULL DEFAULT ''
	CHECK (length(boot) <= 63);
