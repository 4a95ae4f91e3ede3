-- A session that lost its connection waits for its user until lingers_wall_ms;
-- bytes of the connections before the present one are in past_*.
ALTER TABLE session ADD COLUMN lingers_wall_ms BIGINT NOT NULL DEFAULT 0;
ALTER TABLE session ADD COLUMN past_in BIGINT NOT NULL DEFAULT 0
	CHECK (past_in >= 0);
ALTER TABLE session ADD COLUMN past_out BIGINT NOT NULL DEFAULT 0
	CHECK (past_out >= 0);
