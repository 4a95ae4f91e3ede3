-- Of what a machine's domain was made; '' = before this was kept.
ALTER TABLE machine ADD COLUMN version TEXT NOT NULL DEFAULT ''
	CHECK (length(version) <= 32);
