"""The local cloud: the same template on one machine, with an AWS emulator and PostgreSQL.

State across restarts:

* Media objects are files in `.local/s3`, which the emulator writes atomically.
* The database is a PostgreSQL data directory, with PostgreSQL's crash recovery.
* Each start deploys the stack again. Its generated values (bucket names, REST API id, database
  password, `SECRET_KEY`) are derived from a random seed in `.local/state.json`, so API keys and
  data stay valid.
* Executions end with the emulator. Their runs are rows in PostgreSQL; the sweeper, invoked once
  after each deployment, resumes or ends them.

`make clean` removes `.local` and so all state.
"""
