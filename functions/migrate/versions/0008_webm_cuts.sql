-- A cut may be WebM; in the list of media it says so.
CREATE OR REPLACE VIEW media AS
    SELECT m.media_id, s.user_id, 'image' AS kind, 'ready' AS status, 'image/png' AS media_type,
           m.image_key AS key, s.session_id AS video_id, m.frame_number AS scene, m.version,
           m.description AS name, NULL::bigint AS size_bytes, NULL::text AS sha256,
           split_part(s.ratio, ':', 1)::integer AS width,
           split_part(s.ratio, ':', 2)::integer AS height,
           NULL::numeric AS seconds, NULL::jsonb AS error, m.created_at,
           concat_ws(' ', s.story_title, m.description, m.prompt) AS words
    FROM video_frames m JOIN video_sessions s USING (session_id)
    WHERE m.status = 'succeeded' AND m.image_key IS NOT NULL
  UNION ALL
    SELECT m.media_id, s.user_id, 'clip', 'ready', 'video/mp4',
           m.video_key, s.session_id, m.clip_number, m.version,
           f.description, NULL, NULL,
           split_part(s.ratio, ':', 1)::integer, split_part(s.ratio, ':', 2)::integer,
           s.clip_seconds, NULL, m.created_at,
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
           s.story_title, m.size_bytes, m.sha256, NULL, NULL,
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
