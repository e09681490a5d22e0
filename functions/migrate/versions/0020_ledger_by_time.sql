-- What was spent in the last hour and today is asked for at every sweep.
CREATE INDEX provider_jobs_by_time ON provider_jobs (created_at);
