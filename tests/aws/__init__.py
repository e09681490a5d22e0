"""Checks of what AWS would accept that are too slow for every test run."""
