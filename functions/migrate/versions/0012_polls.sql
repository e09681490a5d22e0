-- What the provider of a job was last seen to say, and who collects jobs that ended runs left behind.

ALTER TABLE provider_jobs
    ADD COLUMN run_id text,                                    -- who made the call, or adopted its job
    ADD COLUMN polled_at timestamptz,                          -- when the job was last asked for
    ADD COLUMN found jsonb,                                    -- what a finished job brought: links and cost
    ADD COLUMN collections integer NOT NULL DEFAULT 0,         -- how often its result could not be fetched
    ADD COLUMN collector_until timestamptz;                    -- the sweeper's worker has it until then

CREATE INDEX provider_jobs_left_behind ON provider_jobs (created_at)
    WHERE kind = 'clip' AND job IS NOT NULL AND state IN ('submitted', 'unknown', 'failed');
