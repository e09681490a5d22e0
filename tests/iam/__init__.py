"""Least privilege in both directions: nothing is missing, and nothing can be taken away.

The local cloud enforces IAM with the roles that the stack deploys, so that nothing is missing shows
in every test of tests/e2e. That nothing is granted in vain shows `python -m tests.iam`: each right
is used by a request of these tests or is listed in `exceptions.toml` with its reason, and when one
is taken away, a test fails.
"""
