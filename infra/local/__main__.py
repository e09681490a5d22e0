"""Command-line interface of the local cloud: `python -m infra.local COMMAND`."""

import argparse
import os
import sys

from infra.local import preflight
from infra.local.errors import LocalCloudError, explain_os_error
from infra.local.state import PROJECT

COMMANDS = {
    "up": "run the local cloud in the foreground until Ctrl-C",
    "demo": "make one video (PROMPT, SCENES, SECONDS, RATIO, STYLE, MOOD, IMAGE, MAX_COST)",
    "drop": "upload a file to the inbox of the running local cloud (FILE; for an image PROMPT …)",
    "deploy": "deploy code and template changes to the running local cloud",
    "down": "stop the local cloud of this clone",
    "clean": "stop the local cloud and delete its data",
}


def main() -> int:
    """Run one command and return its exit status; errors are printed to standard error."""
    parser = argparse.ArgumentParser(prog="python -m infra.local", description=__doc__)
    choices = parser.add_subparsers(dest="command", required=True, metavar="command")
    for name, text in COMMANDS.items():
        choices.add_parser(name, help=text)
    command = parser.parse_args().command
    state = PROJECT / ".local"
    _isolate_environment()
    try:
        preflight.check_packages()
        # These imports need the packages that were just checked.
        from infra.local import commands

        return commands.run(command)
    except LocalCloudError as error:
        print(f"error: {error}", file=sys.stderr)
    except OSError as error:
        print(f"error: {explain_os_error(error, state)}", file=sys.stderr)
    except KeyboardInterrupt:
        print("\nInterrupted. All started processes have been stopped.", file=sys.stderr)
        return 130
    return 1


def _isolate_environment() -> None:
    """Remove AWS profiles, credentials, the metadata service and proxies from the environment."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"


if __name__ == "__main__":
    sys.exit(main())
