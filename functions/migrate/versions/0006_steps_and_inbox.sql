-- Runs that make one part of a video (a story, a picture, a clip, a cut), and videos that are asked
-- for by an object in the bucket's `inbox/`.

-- `step` is what the run makes, `scenes` the versions of pictures or clips that it makes, by scene;
-- `request` is what the answer to the request repeats.
ALTER TABLE runs DROP CONSTRAINT runs_kind_check,
    ADD CONSTRAINT runs_kind_check CHECK (kind IN ('create', 'resume', 'step')),
    ADD COLUMN step    text NOT NULL DEFAULT 'all'
               CHECK (step IN ('all', 'story', 'image', 'clip', 'video', 'merge')),
    ADD COLUMN scenes  jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN request jsonb NOT NULL DEFAULT '{}';

-- A picture may have a reference of its own, a clip a form of its own; null: those of the session.
ALTER TABLE video_frames ADD COLUMN reference_key text;
ALTER TABLE video_clips
    ADD COLUMN ratio        varchar(16),
    ADD COLUMN clip_seconds integer CHECK (clip_seconds > 0);

-- Which clips a cut was made of: of others, there is another cut to be made. Null in rows of the
-- previous release.
ALTER TABLE final_videos ADD COLUMN clip_keys text[];

-- An object that was dropped into the inbox: taken in once, however often its event comes.
CREATE TABLE inbox_objects (
    object_id   char(64) PRIMARY KEY,                       -- SHA-256 of bucket, key and version
    user_id     varchar(64) NOT NULL,
    object_key  text NOT NULL,
    version_id  text NOT NULL,
    batch       boolean NOT NULL DEFAULT false,             -- one job a line
    problem     jsonb,                                      -- why it was refused; null: accepted
    received_at timestamptz NOT NULL DEFAULT now(),
    answered_at timestamptz                                 -- its outcome lies in the outbox
);
CREATE INDEX inbox_objects_open ON inbox_objects (received_at) WHERE answered_at IS NULL;

-- The jobs of an object, one a line; a video that is deleted leaves its line.
CREATE TABLE inbox_jobs (
    object_id  char(64) NOT NULL REFERENCES inbox_objects (object_id) ON DELETE CASCADE,
    line       integer NOT NULL CHECK (line > 0),
    session_id varchar(255) NOT NULL,
    run_id     varchar(80) NOT NULL UNIQUE,
    PRIMARY KEY (object_id, line)
);
CREATE INDEX inbox_jobs_by_session ON inbox_jobs (session_id);
