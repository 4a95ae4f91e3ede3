-- Which store this is: domains say in their signed mark which one knows them,
-- so that a new store beside an old key takes none of them for its own.  ''
-- for a store that has made machines before it had a name.
ALTER TABLE engine ADD COLUMN store TEXT NOT NULL DEFAULT ''
	CHECK (length(store) <= 32);
