"""The cloud's layers on the processor and the Python that they are built for, by emulation.

`make arm64` runs Debian's Python 3.13 for arm64 under qemu's user-mode emulation, with the layers
of `build/layers/lambda-arm64`: no root, no Docker, no account. Debian's packages come from the
mirror that this machine's apt uses, into `build/arm64`; nothing is installed.
"""
