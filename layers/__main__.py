"""Command-line interface: `python -m layers [local|lambda-arm64|all|sizes]`."""

import argparse
import time

from layers import build
from layers.platforms import PLATFORMS, Platform, fetch_interpreter, interpreter
from layers.sizes import table


def main() -> None:
    """Build the layers of a platform, or print the sizes of the built layers."""
    parser = argparse.ArgumentParser(prog="python -m layers", description=__doc__)
    parser.add_argument(
        "what",
        nargs="?",
        default="local",
        choices=[*PLATFORMS, "all", "sizes"],
        help="platform to build for, or `sizes` to print a table",
    )
    parser.add_argument("--force", action="store_true", help="rebuild layers that are up to date")
    arguments = parser.parse_args()
    if arguments.what == "sizes":
        print(table())
        return
    for name in PLATFORMS if arguments.what == "all" else [arguments.what]:
        ensure_interpreter(PLATFORMS[name]())
        for layer in build.LAYERS:
            started = time.monotonic()
            stamp = build.build(PLATFORMS[name](), layer, force=arguments.force)
            print(
                f"{name}/{layer}: {stamp.size / 2**20:.1f} MiB, "
                f"digest {stamp.digest[:12]}, {time.monotonic() - started:.1f} s"
            )


def ensure_interpreter(target: Platform) -> None:
    """Download the target's Python if it is not installed; print a warning if that fails."""
    if interpreter(target):
        return
    print(f"{target.name}: downloading Python {target.python} to compile the layers")
    if reason := fetch_interpreter(target):
        print(
            f"warning: Python {target.python} is not installed and could not be downloaded "
            f"({reason}). The layers for {target.name} contain no bytecode, so cold starts compile "
            "their imports and take almost three times as long. Everything else works. To add the "
            f"bytecode, install Python {target.python} or connect to a network, then run "
            "`make layers`."
        )


if __name__ == "__main__":
    main()
