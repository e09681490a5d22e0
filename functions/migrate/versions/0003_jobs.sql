-- Requests that may be repeated, videos with names that their owners gave, runs that can be
-- canceled, lists that can be searched, and deletion that leaves what was paid on the books.

-- What a request with an Idempotency-Key was answered; stored with what the request did.
CREATE TABLE idempotency_keys (
    id          bytea PRIMARY KEY,                  -- SHA-256 of owner, method, path and key
    fingerprint bytea NOT NULL,                     -- SHA-256 of what was sent
    session_id  varchar(255),                       -- the video that it is about, if one
    status      integer NOT NULL,
    headers     jsonb NOT NULL,
    body        text,                               -- null: the video has been deleted since
    created_at  timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz NOT NULL
);
CREATE INDEX idempotency_keys_by_session ON idempotency_keys (session_id);
CREATE INDEX idempotency_keys_by_expiry ON idempotency_keys (expires_at);

-- A name is its owner's: the same name of another owner is another video.
ALTER TABLE video_sessions ADD COLUMN request_id varchar(64);
CREATE UNIQUE INDEX video_sessions_by_name ON video_sessions (user_id, request_id);

ALTER TABLE video_sessions DROP CONSTRAINT video_sessions_status_check,
    ADD CONSTRAINT video_sessions_status_check
    CHECK (status IN ('queued', 'running', 'succeeded', 'failed', 'canceled'));
ALTER TABLE runs DROP CONSTRAINT runs_status_check,
    ADD CONSTRAINT runs_status_check
    CHECK (status IN ('queued', 'running', 'succeeded', 'failed', 'canceled')),
    ADD COLUMN cancel_jobs boolean NOT NULL DEFAULT false;  -- also those at the provider
ALTER TABLE video_frames DROP CONSTRAINT video_frames_status_check,
    ADD CONSTRAINT video_frames_status_check
    CHECK (status IN ('queued', 'running', 'succeeded', 'failed', 'canceled'));
ALTER TABLE video_clips DROP CONSTRAINT video_clips_status_check,
    ADD CONSTRAINT video_clips_status_check
    CHECK (status IN ('queued', 'running', 'succeeded', 'failed', 'canceled'));

-- The query has to say it with the same words.
CREATE INDEX video_sessions_by_text ON video_sessions
    USING gin (to_tsvector('simple', original_prompt || ' ' || COALESCE(story_title, '')));
CREATE INDEX video_sessions_by_metadata ON video_sessions USING gin (metadata jsonb_path_ops);

-- What was paid for stays in the ledger when the video is deleted.
ALTER TABLE provider_jobs DROP CONSTRAINT provider_jobs_session_id_fkey;

-- A deleted video: until its last worker is certainly dead, its folder is looked after, and what
-- a late call cost is still counted.
CREATE TABLE deleted_videos (
    session_id  varchar(255) PRIMARY KEY,
    user_id     varchar(255) NOT NULL,
    key_id      text NOT NULL,
    settled_usd numeric(12, 6) NOT NULL,            -- of what is in `spend`
    counted_at  timestamptz NOT NULL,               -- whose day and month it is counted in
    deleted_at  timestamptz NOT NULL DEFAULT now(),
    erased_at   timestamptz
);
CREATE INDEX deleted_videos_open ON deleted_videos (deleted_at) WHERE erased_at IS NULL;
