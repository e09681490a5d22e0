"""Least privilege: no permission is missing and none is unused.

The local cloud enforces IAM with the roles of the stack, so tests/e2e fails if a permission is
missing. `python -m tests.iam` finds unused ones: each permission is used by a request of these
tests or listed in `exceptions.toml` with a reason, and without it a test fails.
"""
