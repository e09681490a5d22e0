"""Settings of the emulator's process, and the AWS account that it emulates."""

import json
from dataclasses import asdict, dataclass

ACCOUNT = "000000000000"
REGION = "us-east-1"


@dataclass(frozen=True)
class LauncherSettings:
    """Settings of the emulator's process, passed as one line of JSON on standard input."""

    root: str  # the clone's state directory
    port: int | None  # preferred port, or None for any free one
    access_key_id: str
    secret_access_key: str
    seed: str  # for stable names and generated secrets
    postgres_password: str  # of the superuser; the port is in the state directory
    runtime: str  # directory of the Lambda runtime client
    interpreter: str  # Python for the functions
    isolate: bool  # give each function process its own /opt and /tmp (Linux, root)
    patched: bool = True  # False only in tests of the unpatched emulator

    def dumps(self) -> str:
        """Return the settings as one line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def loads(cls, line: str) -> "LauncherSettings":
        """Parse the output of `dumps`."""
        return cls(**json.loads(line))
