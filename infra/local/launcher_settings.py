"""What the emulator's process is told when it starts, and the account that it emulates."""

import json
from dataclasses import asdict, dataclass

ACCOUNT = "000000000000"
REGION = "us-east-1"


@dataclass(frozen=True)
class LauncherSettings:
    """What the emulator's process must know; travels as one JSON line on standard input."""

    root: str  # the clone's state directory
    port: int | None  # preferred port, or None for any free one
    access_key_id: str
    secret_access_key: str
    seed: str  # of the stable names and generated secrets
    postgres_password: str  # of its superuser; the port is in the state directory
    runtime: str  # directory with the Lambda runtime client
    interpreter: str  # Python that runs the functions
    isolate: bool  # give each function process its own /opt and /tmp (Linux, root)
    patched: bool = True  # False only in the tests that show what the patches are for

    def dumps(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def loads(cls, line: str) -> "LauncherSettings":
        """The inverse of `dumps`."""
        return cls(**json.loads(line))
