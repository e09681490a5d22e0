-- The X-Ray trace of the request that started the run, which its execution goes on with.
ALTER TABLE runs ADD COLUMN trace_id text;
