-- Whether a clip, a cut or an upload is heard: one that is not cannot be the music of a video, which
-- has to be said before anything is paid for. NULL is unknown, as of all that the previous release made.
ALTER TABLE video_clips ADD COLUMN has_sound boolean;
ALTER TABLE final_videos ADD COLUMN has_sound boolean;
ALTER TABLE uploads ADD COLUMN has_sound boolean;
