"""Tests of every route of the API in process, with its authorizer, PostgreSQL and S3."""
