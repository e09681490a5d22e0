-- The functions connect with roles of their own (functions/migrate/privileges.py). What PostgreSQL
-- allows every role beyond that is taken away: a temporary table can fill the disk.
DO $$ BEGIN
    EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
END $$;
