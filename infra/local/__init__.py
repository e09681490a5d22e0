"""The same template on one machine: emulator, PostgreSQL, deployment, demo.

What survives a restart, and how:

* Media objects are files below `.local/s3`, written atomically by the emulator as they arrive.
* The database is an ordinary PostgreSQL data directory, recovered by PostgreSQL itself.
* The stack is deployed anew at each start. Its generated values (bucket names, the id of the
  REST API, database password, `SECRET_KEY`) are derived from one random seed in
  `.local/state.json`, so they come out the same each time and yesterday's key and data still fit.
* Executions are lost with the emulator. The runs that they worked on are rows in PostgreSQL,
  and the sweeper, called once after each deployment, starts or ends them.

`make clean` removes `.local` and with it everything.
"""
