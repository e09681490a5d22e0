-- Limits of providers are shared by all runs. The ledger itself says who holds a place: a call and
-- its input pictures hold theirs for a minute, a job holds its own until it ends.

ALTER TABLE provider_jobs
    ADD COLUMN input_pictures integer NOT NULL DEFAULT 0,             -- as the provider counts them
    ADD COLUMN slot_until     timestamptz;                            -- of a job; null: none is held
CREATE INDEX provider_jobs_by_model ON provider_jobs (provider, model, created_at DESC);
CREATE INDEX provider_jobs_with_slot ON provider_jobs (provider, model, slot_until)
    WHERE slot_until IS NOT NULL;

-- One row for each model that is called: whoever wants a place locks it first, so that places are
-- counted by one at a time. The provider itself may close it for a while (Retry-After).
CREATE TABLE provider_gates (
    provider     text NOT NULL,
    model        text NOT NULL,
    closed_until timestamptz,
    PRIMARY KEY (provider, model)
);

-- Steps that wait for their provider, or have waited: one row for each.
CREATE TABLE provider_waits (
    session_id varchar(255) NOT NULL REFERENCES video_sessions (session_id) ON DELETE CASCADE,
    kind       text NOT NULL,                                         -- the step, as in the ledger
    scene      integer NOT NULL,
    run_id     varchar(80) NOT NULL REFERENCES runs (run_id) ON DELETE CASCADE,
    provider   text NOT NULL,
    model      text NOT NULL,
    pictures   integer NOT NULL,                                      -- that its call will send
    code       text NOT NULL,                                         -- why, as the API shows it
    detail     text NOT NULL,
    since      timestamptz NOT NULL,
    back_at    timestamptz,                                           -- null: it does not wait now
    rounds     integer NOT NULL,                                      -- how often it has waited
    PRIMARY KEY (session_id, kind, scene)
);
CREATE INDEX provider_waits_by_model ON provider_waits (provider, model, back_at)
    WHERE back_at IS NOT NULL;
CREATE INDEX provider_waits_by_run ON provider_waits (run_id);
