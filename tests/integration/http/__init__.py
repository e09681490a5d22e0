"""Every route of the API, in process: with its authorizer, PostgreSQL and S3, without HTTP."""
