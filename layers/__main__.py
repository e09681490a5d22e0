"""`python -m layers [local|lambda-arm64|all]` builds; `python -m layers sizes` prints a table."""

import argparse
import time

from layers import build
from layers.platforms import PLATFORMS, Platform, fetch_interpreter, interpreter
from layers.sizes import table


def main() -> None:
    """Build what was asked for, or print the sizes of what is built."""
    parser = argparse.ArgumentParser(prog="python -m layers", description=__doc__)
    parser.add_argument(
        "what",
        nargs="?",
        default="local",
        choices=[*PLATFORMS, "all", "sizes"],
        help="which platform to build for, or `sizes`",
    )
    parser.add_argument("--force", action="store_true", help="build even what is up to date")
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
    """Fetch a Python that compiles the target's sources, if there is none; warn if that fails."""
    if interpreter(target):
        return
    print(f"{target.name}: fetching Python {target.python} to compile its sources")
    if reason := fetch_interpreter(target):
        print(
            f"warning: there is no Python {target.python} here, and none could be fetched "
            f"({reason}). The layers for {target.name} carry no bytecode: every cold start "
            "compiles what it imports and takes almost three times as long. Everything else "
            f"works. Put a Python {target.python} on the PATH, or build where there is a network; "
            "`make layers` then compiles what was not."
        )


if __name__ == "__main__":
    main()
