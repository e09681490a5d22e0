"""`python -m infra.local up|demo|drop|deploy|down|clean`: the whole system on this machine."""

import argparse
import os
import sys

from infra.local import preflight
from infra.local.errors import LocalCloudError, explain_os_error
from infra.local.state import PROJECT

COMMANDS = {
    "up": "run the local cloud in the foreground until Ctrl-C",
    "demo": "make one video (PROMPT, SCENES, SECONDS, RATIO, STYLE, MOOD, IMAGE, MAX_COST)",
    "drop": "drop a file into the inbox of the running local cloud (FILE; of a picture PROMPT …)",
    "deploy": "deploy changed code or template to the running local cloud",
    "down": "stop this clone's local cloud",
    "clean": "stop it and remove its data",
}


def main() -> int:
    """Run one command; 0 when it did what it says, 1 with the reason on standard error if not."""
    parser = argparse.ArgumentParser(prog="python -m infra.local", description=__doc__)
    choices = parser.add_subparsers(dest="command", required=True, metavar="command")
    for name, text in COMMANDS.items():
        choices.add_parser(name, help=text)
    command = parser.parse_args().command
    state = PROJECT / ".local"
    _stay_on_this_machine()
    try:
        preflight.check_packages()
        # Not before: these imports need what was just looked for.
        from infra.local import commands

        return commands.run(command)
    except LocalCloudError as error:
        print(f"error: {error}", file=sys.stderr)
    except OSError as error:
        print(f"error: {explain_os_error(error, state)}", file=sys.stderr)
    except KeyboardInterrupt:
        print("\nInterrupted; everything that was started has been stopped.", file=sys.stderr)
        return 130
    return 1


def _stay_on_this_machine() -> None:
    """No profile, key, metadata service or proxy plays any part in talking to this machine."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"


if __name__ == "__main__":
    sys.exit(main())
