-- What of the cost of a call is certain, and where it is counted.

-- Of `actual_usd`, the part that may not have been charged: the outcome of the call is not known,
-- or it failed and nobody said what it cost.
ALTER TABLE provider_jobs
    ADD COLUMN possible_usd numeric(12, 6) NOT NULL DEFAULT 0,
    ADD COLUMN key_id text,                         -- the key and the day (UTC) under which
    ADD COLUMN counted_on date;                     -- `spend` counts the call
CREATE INDEX provider_jobs_unsettled ON provider_jobs (counted_on)
    WHERE state IN ('submitting', 'submitted') OR possible_usd > 0;

UPDATE provider_jobs SET possible_usd = actual_usd
WHERE state = 'unknown'
   OR (state = 'failed' AND units IS NULL AND actual_usd = estimated_usd);

UPDATE provider_jobs j SET key_id = latest.key_id, counted_on = latest.counted_on
FROM (
    SELECT DISTINCT ON (session_id) session_id, COALESCE(r.key_id, s.key_id) AS key_id,
           (r.created_at AT TIME ZONE 'UTC')::date AS counted_on
    FROM video_sessions s JOIN runs r USING (session_id)
    WHERE r.ended_at IS NOT NULL
    ORDER BY session_id, r.created_at DESC
) latest
WHERE j.session_id = latest.session_id;

UPDATE provider_jobs j
SET key_id = d.key_id, counted_on = (d.counted_at AT TIME ZONE 'UTC')::date
FROM deleted_videos d WHERE j.session_id = d.session_id;
