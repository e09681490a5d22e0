-- What the finished video shall be like, what is said in it, and every file that was made of it.

-- What was wished, as it was sent (`common.output_wish`); empty: a plain cut, with captions beside
-- it. Speech has its models like pictures have; null: nobody speaks.
ALTER TABLE video_sessions
    ADD COLUMN output          jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN speech_provider text,
    ADD COLUMN speech_model    text;

ALTER TABLE runs DROP CONSTRAINT runs_stage_check,
    ADD CONSTRAINT runs_stage_check
    CHECK (stage IN ('story', 'image', 'speech', 'clip', 'merge', 'finish'));
ALTER TABLE provider_jobs DROP CONSTRAINT provider_jobs_kind_check,
    ADD CONSTRAINT provider_jobs_kind_check CHECK (kind IN ('story', 'image', 'speech', 'clip'));

-- What is said in a scene of a narrated video.
CREATE TABLE video_narrations (
    session_id   varchar(255) NOT NULL REFERENCES video_sessions (session_id) ON DELETE CASCADE,
    scene_number integer NOT NULL CHECK (scene_number >= 1),
    text         text NOT NULL,
    status       varchar(50) NOT NULL DEFAULT 'queued'
                 CHECK (status IN ('queued', 'running', 'succeeded', 'failed', 'canceled')),
    audio_key    text,
    seconds      numeric(8, 3),                                        -- as spoken
    cost_usd     numeric(12, 6) NOT NULL DEFAULT 0,
    error        jsonb,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (session_id, scene_number)
);

-- Every file of a cut beside the video itself (`common.database.videos.File`), and what was done
-- with each scene's clip. Empty in rows of the previous release.
ALTER TABLE final_videos
    ADD COLUMN files jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN parts jsonb NOT NULL DEFAULT '[]';
