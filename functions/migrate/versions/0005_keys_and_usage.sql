-- Keys that are rotated and revoked, limits on concurrent runs, and counters of use that outlive
-- the videos that they counted.

ALTER TABLE api_keys
    ADD COLUMN max_concurrent_runs integer NOT NULL DEFAULT 10 CHECK (max_concurrent_runs > 0),
    ADD COLUMN old_digest     bytea UNIQUE,                 -- of the secret before the rotation
    ADD COLUMN old_expires_at timestamptz,                  -- when that one ends
    ADD COLUMN rotated_at     timestamptz,
    ADD COLUMN revoked_at     timestamptz;                  -- for good, unlike `active`
-- A list is newest first; ids are made in the order of time.
CREATE INDEX api_keys_by_user ON api_keys (user_id, key_id DESC);

-- Which key started the run: its concurrent runs are counted, and its money is given back. Null in
-- rows of the previous release, which means the key of the video.
ALTER TABLE runs ADD COLUMN key_id text;
CREATE INDEX runs_open_by_key ON runs (key_id) WHERE ended_at IS NULL;

-- Requests by key and day (UTC). Written by the statement that holds a request against its limits,
-- so that counting costs no statement of its own; refused ones are counted in both columns.
CREATE TABLE key_requests (
    key_id       text NOT NULL,
    day          date NOT NULL,
    requests     bigint NOT NULL DEFAULT 0,
    refused      bigint NOT NULL DEFAULT 0,                 -- of them, over a limit
    last_used_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (key_id, day)
) WITH (fillfactor = 50);                                   -- updated all day, in place
CREATE INDEX key_requests_by_day ON key_requests (day);

-- Runs by key and day (UTC). A table of its own: admission keeps its row locked until it commits,
-- and requests of the same key must not wait for that. Their cost is in `spend`.
CREATE TABLE key_runs (
    key_id  text NOT NULL,
    day     date NOT NULL,
    runs    integer NOT NULL DEFAULT 0,
    PRIMARY KEY (key_id, day)
);
CREATE INDEX key_runs_by_day ON key_runs (day);
