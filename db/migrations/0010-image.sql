-- Machines on disk.  image says what is there: 'made' may be restored, of 'doubt'
-- files may be left that never are.
ALTER TABLE machine ADD COLUMN image TEXT NOT NULL DEFAULT 'none'
	CHECK (image IN ('none', 'doubt', 'made'));
ALTER TABLE machine ADD COLUMN image_built BIGINT NOT NULL DEFAULT 0
	CHECK (image_built >= 0);
ALTER TABLE machine ADD COLUMN image_key TEXT NOT NULL DEFAULT ''
	CHECK (length(image_key) <= 127);
