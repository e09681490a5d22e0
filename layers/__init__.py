"""The Lambda layers: third-party code, built from the lock file without Docker.

`python -m layers` builds `build/layers/<platform>/<layer>/`, where platform is `local` (this
machine) or `lambda-arm64` (AWS). Layers that are up to date are not rebuilt.
"""
