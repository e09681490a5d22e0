"""The Lambda layers: third-party code only, built from the lock file, without Docker.

`python -m layers` builds `build/layers/<platform>/<layer>/`, where platform is `local` (this
machine) or `lambda-arm64` (the cloud). A layer that is up to date is left alone.
"""
