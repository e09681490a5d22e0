-- The status of a video follows from what exists: its open runs, its finished cut, and the runs
-- whose product is not there. `video_sessions.status` is the stored result of `video_status`.

-- A finished picture or clip that its owner replaced: it is made anew, and does not count.
ALTER TABLE video_frames ADD COLUMN invalidated_at timestamptz;
ALTER TABLE video_clips  ADD COLUMN invalidated_at timestamptz;

-- How many scenes the whole video has. A cut of the first clips does not make it shorter.
CREATE FUNCTION scene_count(video text) RETURNS integer LANGUAGE sql STABLE AS $$
    SELECT greatest(s.frame_count,
                    (SELECT max(clip_number) FROM video_clips WHERE session_id = video))
    FROM video_sessions s WHERE s.session_id = video
$$;

CREATE FUNCTION has_whole_cut(video text) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM final_videos
                   WHERE session_id = video AND total_clips >= scene_count(video))
$$;

CREATE FUNCTION scenes_without_clip(video text) RETURNS integer[] LANGUAGE sql STABLE AS $$
    SELECT array_agg(n ORDER BY n) FROM generate_series(1, scene_count(video)) n
    WHERE NOT EXISTS (
        SELECT FROM video_clips
        WHERE session_id = video AND clip_number = n AND status = 'succeeded'
          AND invalidated_at IS NULL)
$$;

-- Whether what a run of one part was to make is there, by this run or by another one.
CREATE FUNCTION part_exists(run runs) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT CASE run.step
        WHEN 'story' THEN EXISTS (
            SELECT FROM video_sessions
            WHERE session_id = run.session_id AND story_title IS NOT NULL)
        WHEN 'image' THEN NOT EXISTS (
            SELECT FROM jsonb_each_text(run.scenes) part WHERE NOT EXISTS (
                SELECT FROM video_frames
                WHERE session_id = run.session_id AND frame_number = part.key::integer
                  AND version >= part.value::integer AND status = 'succeeded'))
        WHEN 'clip' THEN NOT EXISTS (
            SELECT FROM jsonb_each_text(run.scenes) part WHERE NOT EXISTS (
                SELECT FROM video_clips
                WHERE session_id = run.session_id AND clip_number = part.key::integer
                  AND version >= part.value::integer AND status = 'succeeded'))
        ELSE EXISTS (
            SELECT FROM final_videos
            WHERE session_id = run.session_id AND created_at >= run.created_at)
        END
$$;

-- The run that a resume continues; null: nothing is missing. It is the whole video while one was
-- ordered and there is no cut of all scenes, else the newest part that was ordered and is not there.
CREATE FUNCTION undone_run(video text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT COALESCE(
        (SELECT run_id FROM runs
         WHERE session_id = video AND step = 'all' AND NOT has_whole_cut(video)
           AND NOT EXISTS (SELECT FROM runs WHERE session_id = video AND step = 'all'
                                            AND status = 'succeeded')
         ORDER BY created_at DESC LIMIT 1),
        (SELECT run_id FROM runs r
         WHERE session_id = video AND step <> 'all' AND status IN ('failed', 'canceled')
           AND NOT part_exists(r)
         ORDER BY created_at DESC LIMIT 1))
$$;

-- A finished video stays one when a part of it is made anew in vain.
CREATE FUNCTION video_status(video text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT CASE
        WHEN EXISTS (SELECT FROM runs WHERE session_id = video AND status = 'running')
            THEN 'running'
        WHEN EXISTS (SELECT FROM runs WHERE session_id = video AND status = 'queued')
          OR NOT EXISTS (SELECT FROM runs WHERE session_id = video)
            THEN 'queued'
        WHEN has_whole_cut(video) OR undone_run(video) IS NULL
            THEN 'succeeded'
        ELSE (
            SELECT status FROM runs
            WHERE session_id = video AND status IN ('failed', 'canceled')
            ORDER BY created_at DESC LIMIT 1)
        END
$$;

UPDATE video_sessions SET status = video_status(session_id)
WHERE status IN ('succeeded', 'failed', 'canceled') AND status <> video_status(session_id);
