-- Media as things of their own: an id for every picture, clip and cut, and uploads beside them.

-- An identifier as `common/ids.py` makes them: a prefix, and 128 bits that begin with the time.
CREATE FUNCTION new_id(prefix text) RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT prefix || '_' || string_agg(
        substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ',
               substring(B'00' || made.bits FROM 1 + 5 * place FOR 5)::integer + 1, 1),
        '' ORDER BY place)
    FROM (SELECT ('x' || replace(uuidv7()::text, '-', ''))::bit(128) AS bits) AS made,
         generate_series(0, 25) AS place
$$;

-- By default, so that functions of the previous release, which do not know of it, fill it too.
ALTER TABLE video_frames ADD COLUMN media_id text COLLATE "C" NOT NULL DEFAULT new_id('med');
ALTER TABLE video_clips  ADD COLUMN media_id text COLLATE "C" NOT NULL DEFAULT new_id('med');
ALTER TABLE final_videos ADD COLUMN media_id text COLLATE "C" NOT NULL DEFAULT new_id('med');
CREATE UNIQUE INDEX video_frames_by_media ON video_frames (media_id);
CREATE UNIQUE INDEX video_clips_by_media ON video_clips (media_id);
CREATE UNIQUE INDEX final_videos_by_media ON final_videos (media_id);
-- A client may name an asset by the key that it was told.
CREATE INDEX video_frames_by_key ON video_frames (image_key);
CREATE INDEX video_clips_by_key ON video_clips (video_key);
CREATE INDEX final_videos_by_key ON final_videos (video_key);

-- What a client sent, or is about to. Its own words (`name`, `request_id`) are shown, never part of
-- a key.
CREATE TABLE uploads (
    media_id     text COLLATE "C" PRIMARY KEY,
    user_id      varchar(64) NOT NULL,
    kind         text NOT NULL CHECK (kind IN ('image', 'video', 'audio')),
    status       text NOT NULL DEFAULT 'pending'
                 CHECK (status IN ('pending', 'ready', 'refused')),
    media_type   text NOT NULL,                     -- as announced; when ready, as found
    name         varchar(200),
    request_id   varchar(64),
    multipart_id text,                              -- S3's name for an upload in parts
    object_key   text UNIQUE,                       -- null until it is ready
    size_bytes   bigint NOT NULL CHECK (size_bytes > 0),
    sha256       char(64),
    width        integer,
    height       integer,
    seconds      numeric(12, 3),
    error        jsonb,                             -- why it was refused: code and detail
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    CHECK ((status = 'ready') = (object_key IS NOT NULL)),
    CHECK ((status = 'refused') = (error IS NOT NULL))
);
CREATE INDEX uploads_by_user ON uploads (user_id, media_id DESC);
CREATE INDEX uploads_pending ON uploads (created_at) WHERE status = 'pending';

-- Raising an owner's epoch kills every link to their media at once; no row is epoch 0.
CREATE TABLE media_epochs (
    user_id   varchar(64) PRIMARY KEY,
    epoch     integer NOT NULL DEFAULT 0,
    raised_at timestamptz NOT NULL DEFAULT now()
);

-- Everything that can be shown, whoever made it. `words` are those that a search looks in; sizes in
-- pixels of a picture or clip are those that were ordered, and hold, of a cut they are not known.
CREATE VIEW media AS
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
    SELECT m.media_id, s.user_id, 'video', 'ready', 'video/mp4',
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
