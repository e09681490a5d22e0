-- Pictures and clips are as large and long as they were made, which need not be as their video was
-- asked for: a clip has a form of its own, and a provider may send another one. What the previous
-- release made is taken for what was ordered.
ALTER TABLE video_frames ADD COLUMN width integer, ADD COLUMN height integer;
ALTER TABLE video_clips
    ADD COLUMN width   integer,
    ADD COLUMN height  integer,
    ADD COLUMN seconds numeric(9, 3);
UPDATE video_frames m
SET width = split_part(s.ratio, ':', 1)::integer, height = split_part(s.ratio, ':', 2)::integer
FROM video_sessions s WHERE s.session_id = m.session_id AND m.status = 'succeeded';
UPDATE video_clips m
SET width = split_part(coalesce(m.ratio, s.ratio), ':', 1)::integer,
    height = split_part(coalesce(m.ratio, s.ratio), ':', 2)::integer,
    seconds = coalesce(m.clip_seconds, s.clip_seconds)
FROM video_sessions s WHERE s.session_id = m.session_id AND m.status = 'succeeded';

CREATE OR REPLACE VIEW media AS
    SELECT m.media_id, s.user_id, 'image' AS kind, 'ready' AS status, 'image/png' AS media_type,
           m.image_key AS key, s.session_id AS video_id, m.frame_number AS scene, m.version,
           m.description AS name, NULL::bigint AS size_bytes, NULL::text AS sha256,
           m.width, m.height,
           NULL::numeric AS seconds, NULL::jsonb AS error, m.created_at,
           concat_ws(' ', s.story_title, m.description, m.prompt) AS words
    FROM video_frames m JOIN video_sessions s USING (session_id)
    WHERE m.status = 'succeeded' AND m.image_key IS NOT NULL
  UNION ALL
    SELECT m.media_id, s.user_id, 'clip', 'ready', 'video/mp4',
           m.video_key, s.session_id, m.clip_number, m.version,
           f.description, NULL, NULL,
           m.width, m.height,
           m.seconds, NULL, m.created_at,
           concat_ws(' ', s.story_title, f.description, f.motion_prompt, m.optimized_prompt)
    FROM video_clips m JOIN video_sessions s USING (session_id)
    LEFT JOIN LATERAL (
        SELECT description, motion_prompt FROM video_frames
        WHERE session_id = m.session_id AND frame_number = m.clip_number
        ORDER BY version DESC LIMIT 1
    ) f ON true
    WHERE m.status = 'succeeded' AND m.video_key IS NOT NULL
  UNION ALL
    SELECT m.media_id, s.user_id, 'video', 'ready',
           CASE WHEN m.video_key LIKE '%.webm' THEN 'video/webm' ELSE 'video/mp4' END,
           m.video_key, s.session_id, NULL, m.version,
           s.story_title, m.size_bytes, m.sha256,
           (m.files -> 0 ->> 'width')::integer, (m.files -> 0 ->> 'height')::integer,
           m.duration::numeric, NULL, m.created_at,
           concat_ws(' ', s.story_title, s.original_prompt)
    FROM final_videos m JOIN video_sessions s USING (session_id)
  UNION ALL
    SELECT m.media_id, m.user_id, 'upload', m.status, m.media_type,
           m.object_key, NULL, NULL, NULL,
           m.name, m.size_bytes, m.sha256, m.width, m.height,
           m.seconds, m.error, m.created_at,
           concat_ws(' ', m.name, m.request_id)
    FROM uploads m;
