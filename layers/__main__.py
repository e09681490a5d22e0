"""`python -m layers [local|lambda-arm64|all]` builds; `python -m layers sizes` prints a table."""

import argparse
import time

from layers import build
from layers.platforms import PLATFORMS
from layers.sizes import table


def main() -> None:
    """Build what was asked for, or print the sizes of what is built."""
    parser = argparse.ArgumentParser(prog="python -m layers", description=__doc__)
    parser.add_argument(
        "what", nargs="?", default="local", choices=[*PLATFORMS, "all", "sizes"],
        help="which platform to build for, or `sizes`",
    )  # fmt: skip
    parser.add_argument("--force", action="store_true", help="build even what is up to date")
    arguments = parser.parse_args()
    if arguments.what == "sizes":
        print(table())
        return
    for name in PLATFORMS if arguments.what == "all" else [arguments.what]:
        for layer in build.LAYERS:
            started = time.monotonic()
            stamp = build.build(PLATFORMS[name](), layer, force=arguments.force)
            print(
                f"{name}/{layer}: {stamp.size / 2**20:.1f} MiB, "
                f"digest {stamp.digest[:12]}, {time.monotonic() - started:.1f} s"
            )


if __name__ == "__main__":
    main()
