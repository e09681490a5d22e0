"""What differs between stages: sizes, retention and endpoints. Nothing else may.

`local` runs on one machine from the very template that `prod` deploys, which a test proves
(`tests/infra/test_stages.py`). `dev` is the cheap one: no RDS Proxy, and an instance for NAT.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Literal, get_args

from common.domain import models, provider_limits

# The CDK reads it by itself, as context: {"dev": {"alarm_email": "ops@example.com"}}.
SETTINGS_FILE = Path(__file__).resolve().parent.parent / "cdk.context.json"
_USD = (re.compile(r"(?=.*[1-9])[0-9]{1,7}(\.[0-9]{1,2})?"), "an amount of US dollars, such as 50")
# What the text of a setting must look like, and how that is called.
_PATTERNS = {
    "alarm_email": (re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+"), "an email address"),
    "hourly_alarm_usd": _USD,
    "media_bucket": (re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"), "the name of a bucket"),
    "monthly_budget_usd": _USD,
    "nat_image": (re.compile(r"ami-[0-9a-f]{8,17}"), "the id of an image, such as ami-0abc…"),
    "snapshot": (
        re.compile(
            r"(arn:aws:rds:[a-z0-9-]+:\d{12}:snapshot:)?(rds:|awsbackup:)?[A-Za-z][A-Za-z0-9-]*"
        ),
        "the name or ARN of a snapshot",
    ),
}


@dataclass(frozen=True)
class FunctionSize:
    """What one function gets."""

    memory: int  # MiB; 1,769 is one whole processor
    timeout: int  # seconds; below what the state machine gives the state
    storage: int = 512  # MiB of /tmp


# Timeouts end below the TimeoutSeconds of the function's longest state, so that the function's own
# error arrives and not the state's. `clip` has one processor: the offline provider renders there.
SIZES: Mapping[str, FunctionSize] = {
    "authorizer": FunctionSize(memory=1024, timeout=10),
    "api": FunctionSize(memory=1024, timeout=28),  # API Gateway waits for 29 s
    "intake": FunctionSize(memory=1024, timeout=90),
    "story": FunctionSize(memory=512, timeout=230),
    "image": FunctionSize(memory=1769, timeout=350),
    "speech": FunctionSize(memory=1769, timeout=110),
    "clip": FunctionSize(memory=1769, timeout=350, storage=1024),
    "merge": FunctionSize(memory=3008, timeout=890, storage=4096),
    "finish": FunctionSize(memory=512, timeout=80),
    "register": FunctionSize(memory=1769, timeout=300, storage=1536),  # a file of 1 GiB
    "sweeper": FunctionSize(memory=512, timeout=240),
    "migrate": FunctionSize(memory=512, timeout=840),
}


@dataclass(frozen=True)
class Stage:
    """Everything that the stack asks of its stage."""

    name: Literal["local", "dev", "prod"]
    layers: Literal["local", "lambda-arm64"]  # the platform that the functions run on

    # Sizes
    database_instance: str
    database_storage: int  # GiB, at first
    database_storage_limit: int  # GiB, grown into by itself
    multi_az: bool
    proxy: bool
    nat: Literal["gateway", "instance"]
    scene_concurrency: int  # scenes of one run that are made at a time
    requests_per_second: int
    request_burst: int
    functions: Mapping[str, FunctionSize] = field(default_factory=lambda: SIZES)

    # Retention
    # What `cdk destroy` leaves: the bucket, a snapshot of the database, and the secrets that cannot
    # be made again.
    keep_data: bool = False
    log_days: int = 14
    backup_days: int = 1
    old_version_days: int = 1  # of media that were overwritten
    inbox_days: int = 7

    # Endpoints
    database_tls: Literal["verify-full", "disable"] = "verify-full"
    text_provider: str = models.BY_KEY
    image_provider: str = models.BY_KEY
    video_provider: str = models.BY_KEY
    speech_provider: str = models.BY_KEY
    openai_base_url: str = ""
    runway_base_url: str = ""
    provider_limits: str = ""  # changes of the registry's limits (common.domain.provider_limits)
    operator_user_id: str = "operator"
    daily_cap_usd: str = "100"  # what all keys together may spend in a day
    cors_origins: tuple[str, ...] = ()
    availability_zones: tuple[str, ...] = ()  # empty: the first two of the region, by name
    snapshot: str = ""  # of the database that this one starts as
    media_bucket: str = ""  # a bucket that a destroyed stack kept, to be taken over
    nat_image: str = ""  # of the NAT instance; empty: the newest when it is deployed
    alarm_email: str = ""  # who is told of alarms
    hourly_alarm_usd: str = "25"  # what paid calls of one hour may cost before somebody is told
    monthly_budget_usd: str = ""  # of the stage's resources on AWS; empty: no budget is made
    log_level: str = "INFO"

    @property
    def stack_name(self) -> str:
        """Name of the stack, and the first part of every name that a person reads."""
        return f"VideoGenerator-{self.name}"


STAGES: Mapping[str, Stage] = {
    "local": Stage(
        name="local",
        layers="local",
        database_instance="t4g.micro",
        database_storage=20,
        database_storage_limit=30,
        multi_az=False,
        proxy=True,
        nat="gateway",
        scene_concurrency=6,
        requests_per_second=100,
        request_burst=200,
        log_days=1,
        database_tls="disable",  # loopback; the emulator's PostgreSQL speaks no TLS
        cors_origins=("http://localhost:3000",),
        # The keys in an environment may be there for other programs (infra.local.settings).
        text_provider="offline",
        image_provider="offline",
        video_provider="offline",
        speech_provider="offline",
    ),
    "dev": Stage(
        name="dev",
        layers="lambda-arm64",
        database_instance="t4g.micro",
        database_storage=20,
        database_storage_limit=50,
        multi_az=False,
        proxy=False,
        nat="instance",
        scene_concurrency=5,
        requests_per_second=20,
        request_burst=40,
        cors_origins=("http://localhost:3000",),
    ),
    "prod": Stage(
        name="prod",
        layers="lambda-arm64",
        database_instance="t4g.medium",
        database_storage=50,
        database_storage_limit=500,
        multi_az=True,
        proxy=True,
        nat="gateway",
        scene_concurrency=10,
        requests_per_second=200,
        request_burst=400,
        keep_data=True,
        log_days=90,
        backup_days=14,
        old_version_days=30,
    ),
}

# What a deployment may set without a change of this file: `-c text_provider=openai`.
SETTABLE = (
    "text_provider",
    "image_provider",
    "video_provider",
    "speech_provider",
    "openai_base_url",
    "runway_base_url",
    "provider_limits",
    "operator_user_id",
    "daily_cap_usd",
    "cors_origins",
    "availability_zones",
    "nat_image",
    "snapshot",
    "media_bucket",
    "alarm_email",
    "hourly_alarm_usd",
    "monthly_budget_usd",
    "log_level",
)


def stored(name: str, file: Path = SETTINGS_FILE) -> dict[str, str]:
    """Return what the file of settings says for a stage; nothing where there is no file.

    Raises ValueError, naming the file, when it cannot be read.
    """
    try:
        context = json.loads(file.read_text(encoding="utf-8"))
        return settings(context.get(name))
    except FileNotFoundError:
        return {}
    except (ValueError, AttributeError) as error:
        raise ValueError(f"{file.name}: {error}") from error


def settings(values: object) -> dict[str, str]:
    """Return settings as they are given on a command line; lists are joined by commas.

    Raises ValueError for anything but an object of texts, numbers and lists of texts.
    """
    if values is None:
        return {}
    if not isinstance(values, Mapping):
        raise ValueError('the settings of a stage are an object, such as {"dev": {}}.')
    found = {}
    for key, value in values.items():
        if isinstance(value, list) and all(isinstance(part, str) for part in value):
            found[key] = ",".join(value)
        elif isinstance(value, str | int | float) and not isinstance(value, bool):
            found[key] = str(value)
        else:
            raise ValueError(f"{key} is neither a text, nor a number, nor a list of texts.")
    return found


def stage(name: str, changes: Mapping[str, str] | None = None) -> Stage:
    """Return the stage, with some of its SETTABLE fields replaced; lists are comma-separated.

    Raises ValueError, naming what is allowed, for another stage or field, or for a provider or
    limit that does not exist.
    """
    if name not in STAGES:
        raise ValueError(f"There is no stage {name!r}; the stages are {', '.join(STAGES)}.")
    changes = changes or {}
    if unknown := sorted(set(changes) - set(SETTABLE)):
        raise ValueError(
            f"{', '.join(unknown)} cannot be set from outside; {', '.join(SETTABLE)} can."
        )
    lists = {known.name for known in fields(Stage) if known.type == tuple[str, ...]}
    values = {
        key: tuple(part for part in text.split(",") if part) if key in lists else text
        for key, text in changes.items()
    }
    _check(STAGES[name], changes)
    return replace(STAGES[name], **values)  # type: ignore[arg-type] # checked names, str or tuple


def _check(stage: Stage, changes: Mapping[str, str]) -> None:
    """Refuse values that the deployment or the functions would fail on; raises ValueError."""
    provider_limits.read(changes.get("provider_limits", ""))
    zones = [zone for zone in changes.get("availability_zones", "").split(",") if zone]
    if zones and len(set(zones)) < 2:
        raise ValueError(
            "availability_zones: name at least two different zones, such as us-east-1b,us-east-1c."
        )
    for name, (pattern, kind_of_value) in _PATTERNS.items():
        if (text := changes.get(name, "")) and not pattern.fullmatch(text):
            raise ValueError(f"{name}: {text!r} is not {kind_of_value}.")
    if changes.get("media_bucket") and not stage.keep_data:
        # `make destroy` empties the bucket of such a stage.
        raise ValueError(f"media_bucket: stage {stage.name} keeps no media; prod does.")
    for kind in get_args(models.Kind):
        provider = changes.get(f"{kind}_provider")
        offered = {model.provider for model in models.models() if model.kind == kind}
        known = [*sorted(offered), models.BY_KEY]
        if provider is not None and provider not in known:
            raise ValueError(f"{kind}_provider: {provider!r} is none of {', '.join(known)}.")
