"""Checks of what AWS would accept that take too long for every run of the tests."""
