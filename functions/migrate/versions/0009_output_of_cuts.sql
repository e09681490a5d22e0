-- Of the same clips, another cut can be asked for: each keeps what was wished of it.
ALTER TABLE final_videos ADD COLUMN output jsonb;  -- null: made by the previous release
UPDATE final_videos f SET output = s.output
FROM video_sessions s WHERE s.session_id = f.session_id;
