-- What a finished video lacks, or has otherwise than requested, in sentences for its owner: captions that could not be
-- drawn, narrations that were shortened. Those of a narration are known before the video is assembled.
ALTER TABLE final_videos ADD COLUMN warnings jsonb NOT NULL DEFAULT '[]';
ALTER TABLE video_narrations ADD COLUMN warnings jsonb NOT NULL DEFAULT '[]';
