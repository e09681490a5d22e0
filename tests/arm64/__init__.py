"""The cloud's layers on emulated arm64 with Python 3.13.

`make arm64` runs Debian's Python 3.13 for arm64 under qemu's user-mode emulation, with the layers
of `build/layers/lambda-arm64`. It needs no root, Docker or account. Debian's packages come from the
mirror that this machine's apt uses, into `build/arm64`; nothing is installed.
"""
