-- The first schema. Times are UTC, money is US dollars. A later migration may add, never change
-- in place: functions of the previous release run on the new schema while a deployment goes on.

CREATE TABLE api_keys (
    key_id        text PRIMARY KEY,
    digest        bytea NOT NULL UNIQUE,          -- SHA-256 of the whole key; the key is shown once
    prefix        text NOT NULL,                  -- the first characters, for people
    user_id       varchar(64) NOT NULL,
    name          text NOT NULL,
    live          boolean NOT NULL,               -- a test key never reaches a paid provider
    scopes        text[] NOT NULL DEFAULT '{}',
    endpoints     text[] NOT NULL DEFAULT '{*}',  -- `METHOD /path`, or `*` for all
    per_minute    integer NOT NULL DEFAULT 60 CHECK (per_minute > 0),
    per_hour      integer NOT NULL DEFAULT 1000 CHECK (per_hour > 0),
    daily_cap_usd   numeric(12, 6),               -- null: only the caps of the stage
    monthly_cap_usd numeric(12, 6),
    active        boolean NOT NULL DEFAULT true,
    expires_at    timestamptz,
    created_at    timestamptz NOT NULL DEFAULT now()
);

-- One row for each key and window length; the row starts anew when its window is over.
CREATE TABLE rate_windows (
    key_id     text NOT NULL,
    period     text NOT NULL CHECK (period IN ('minute', 'hour')),
    started_at timestamptz NOT NULL,
    count      integer NOT NULL,
    PRIMARY KEY (key_id, period)
);

-- What may still be spent: a row for each scope (a key, or `all`) and period (a day or a month).
CREATE TABLE spend (
    scope        text NOT NULL,
    period       text NOT NULL,
    reserved_usd numeric(14, 6) NOT NULL DEFAULT 0,
    spent_usd    numeric(14, 6) NOT NULL DEFAULT 0,
    PRIMARY KEY (scope, period)
);

CREATE TABLE video_sessions (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    session_id      varchar(255) NOT NULL UNIQUE,
    user_id         varchar(255) NOT NULL,
    original_prompt text NOT NULL,
    video_duration  integer NOT NULL CHECK (video_duration > 0),      -- seconds
    frame_count     integer NOT NULL CHECK (frame_count BETWEEN 1 AND 60),
    style           varchar(100) NOT NULL,
    mood            varchar(100) NOT NULL,
    status          varchar(50) NOT NULL DEFAULT 'queued'
                    CHECK (status IN ('queued', 'running', 'succeeded', 'failed')),
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    ratio           varchar(16) NOT NULL,
    clip_seconds    integer NOT NULL CHECK (clip_seconds > 0),
    seed            bigint NOT NULL,
    reference_key   text,
    text_provider   text NOT NULL,
    text_model      text NOT NULL,
    image_provider  text NOT NULL,
    image_model     text NOT NULL,
    video_provider  text NOT NULL,
    video_model     text NOT NULL,
    estimated_usd   numeric(12, 6) NOT NULL,
    max_cost_usd    numeric(12, 6),
    settled_usd     numeric(12, 6) NOT NULL DEFAULT 0,                -- of what is in `spend`
    key_id          text NOT NULL,
    story_title     text,
    story_overview  text,
    on_unknown      text NOT NULL DEFAULT 'fail' CHECK (on_unknown IN ('fail', 'resubmit_once')),
    metadata        jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX video_sessions_by_user ON video_sessions (user_id, id DESC);

CREATE TABLE runs (
    run_id      varchar(80) PRIMARY KEY,                              -- also the execution's name
    session_id  varchar(255) NOT NULL REFERENCES video_sessions (session_id) ON DELETE CASCADE,
    kind        text NOT NULL CHECK (kind IN ('create', 'resume')),
    status      text NOT NULL DEFAULT 'queued'
                CHECK (status IN ('queued', 'running', 'succeeded', 'failed')),
    stage       text NOT NULL DEFAULT 'story'
                CHECK (stage IN ('story', 'image', 'clip', 'merge', 'finish')),
    reserved_usd numeric(12, 6) NOT NULL DEFAULT 0,                   -- released when it ends
    error       jsonb,
    created_at  timestamptz NOT NULL DEFAULT now(),
    started_at  timestamptz,
    ended_at    timestamptz
);
CREATE INDEX runs_by_session ON runs (session_id, created_at DESC);
CREATE INDEX runs_open ON runs (created_at) WHERE status IN ('queued', 'running');

CREATE TABLE run_events (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id      varchar(80) NOT NULL REFERENCES runs (run_id) ON DELETE CASCADE,
    at          timestamptz NOT NULL DEFAULT now(),
    type        text NOT NULL,
    scene       integer,
    facts       jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX run_events_by_run ON run_events (run_id, id);

CREATE TABLE video_frames (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    session_id     varchar(255) NOT NULL REFERENCES video_sessions (session_id) ON DELETE CASCADE,
    frame_number   integer NOT NULL CHECK (frame_number >= 1),
    version        integer NOT NULL DEFAULT 1 CHECK (version >= 1),
    timestamp      varchar(50) NOT NULL,
    description    text NOT NULL,
    prompt         text NOT NULL,
    motion_prompt  text NOT NULL,
    scene_story    text,
    story_title    varchar(255),
    story_overview text,
    style          varchar(100),
    mood           varchar(100),
    status         varchar(50) NOT NULL DEFAULT 'queued'
                   CHECK (status IN ('queued', 'running', 'succeeded', 'failed')),
    image_key      text,
    cost_usd       numeric(12, 6) NOT NULL DEFAULT 0,
    error          jsonb,
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now(),
    UNIQUE (session_id, frame_number, version)
);

CREATE TABLE video_clips (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    session_id       varchar(255) NOT NULL REFERENCES video_sessions (session_id) ON DELETE CASCADE,
    clip_number      integer NOT NULL CHECK (clip_number >= 1),
    version          integer NOT NULL DEFAULT 1 CHECK (version >= 1),
    start_frame      integer NOT NULL,
    end_frame        integer NOT NULL,
    optimized_prompt text,
    status           varchar(50) NOT NULL DEFAULT 'queued'
                     CHECK (status IN ('queued', 'running', 'succeeded', 'failed')),
    video_key        text,
    frames           integer,                                          -- decoded pictures
    cost_usd         numeric(12, 6) NOT NULL DEFAULT 0,
    error            jsonb,
    created_at       timestamptz NOT NULL DEFAULT now(),
    updated_at       timestamptz NOT NULL DEFAULT now(),
    UNIQUE (session_id, clip_number, version)
);

CREATE TABLE final_videos (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    session_id  varchar(255) NOT NULL REFERENCES video_sessions (session_id) ON DELETE CASCADE,
    version     integer NOT NULL DEFAULT 1 CHECK (version >= 1),
    video_key   text NOT NULL,
    poster_key  text NOT NULL,
    total_clips integer NOT NULL,
    duration    varchar(50) NOT NULL,                                  -- seconds, as text (seed)
    frames      integer NOT NULL,
    size_bytes  bigint NOT NULL,
    sha256      char(64) NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    UNIQUE (session_id, version)
);

-- The ledger of paid work: one row for each call that may be charged, written before the call.
CREATE TABLE provider_jobs (
    id                 bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    session_id         varchar(255) NOT NULL REFERENCES video_sessions (session_id) ON DELETE CASCADE,
    kind               text NOT NULL CHECK (kind IN ('story', 'image', 'clip')),
    scene              integer NOT NULL,                               -- 0 for the story
    version            integer NOT NULL,
    attempt            integer NOT NULL,
    provider           text NOT NULL,
    model              text NOT NULL,
    state              text NOT NULL
                       CHECK (state IN ('submitting', 'submitted', 'succeeded', 'refused', 'failed', 'unknown')),
    token              text NOT NULL UNIQUE,                           -- names the attempt
    lease_until        timestamptz NOT NULL,                           -- its worker is dead by then
    job                jsonb,                                          -- JobRef, for jobs
    polls              integer NOT NULL DEFAULT 0,
    estimated_usd      numeric(12, 6) NOT NULL,
    actual_usd         numeric(12, 6),
    units              numeric(14, 4),
    unit               text,
    code               text,                                           -- why it was refused or failed
    possible_duplicate boolean NOT NULL DEFAULT false,
    created_at         timestamptz NOT NULL DEFAULT now(),
    updated_at         timestamptz NOT NULL DEFAULT now(),
    UNIQUE (session_id, kind, scene, version, attempt)
);
