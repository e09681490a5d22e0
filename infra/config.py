"""The settings of each stage. Stages differ only in sizes, retention and endpoints.

`local` runs on one machine from the same template that `prod` deploys, as
`tests/infra/test_stages.py` asserts. `dev` minimizes cost: it has no RDS Proxy, and a NAT instance
instead of a NAT gateway.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Literal, get_args

from common.domain import models, provider_limits

# The CDK CLI also reads this file, as context: {"dev": {"alarm_email": "ops@example.com"}}.
SETTINGS_FILE = Path(__file__).resolve().parent.parent / "cdk.context.json"
_USD = (re.compile(r"(?=.*[1-9])[0-9]{1,7}(\.[0-9]{1,2})?"), "an amount of US dollars, such as 50")
# The pattern that a setting must match, and its description for the error message.
_PATTERNS = {
    "alarm_email": (re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+"), "an email address"),
    "hourly_alarm_usd": _USD,
    "media_bucket": (re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"), "the name of a bucket"),
    "monthly_budget_usd": _USD,
    "nat_image": (re.compile(r"ami-[0-9a-f]{8,17}"), "the id of an AMI, such as ami-0abc…"),
    "snapshot": (
        re.compile(
            r"(arn:aws:rds:[a-z0-9-]+:\d{12}:snapshot:)?(rds:|awsbackup:)?[A-Za-z][A-Za-z0-9-]*"
        ),
        "the name or ARN of a snapshot",
    ),
}


@dataclass(frozen=True)
class FunctionSize:
    """Memory, timeout and scratch space of one function."""

    memory: int  # MiB; 1,769 MiB gives one vCPU
    timeout: int  # seconds; less than TimeoutSeconds of the function's states
    storage: int = 512  # MiB of /tmp


# A function times out before the state that runs it, so that the execution records the function's
# error, not States.Timeout. `clip` has a whole vCPU because the offline provider renders there.
SIZES: Mapping[str, FunctionSize] = {
    "authorizer": FunctionSize(memory=1024, timeout=10),
    "api": FunctionSize(memory=1024, timeout=28),  # API Gateway's integration timeout is 29 s
    "intake": FunctionSize(memory=1024, timeout=90),
    "story": FunctionSize(memory=512, timeout=230),
    "image": FunctionSize(memory=1769, timeout=350),
    "speech": FunctionSize(memory=1769, timeout=110),
    "clip": FunctionSize(memory=1769, timeout=350, storage=1024),
    "merge": FunctionSize(memory=3008, timeout=890, storage=4096),
    "finish": FunctionSize(memory=512, timeout=80),
    "register": FunctionSize(memory=1769, timeout=300, storage=1536),  # uploads are up to 1 GiB
    "sweeper": FunctionSize(memory=512, timeout=240),
    "migrate": FunctionSize(memory=512, timeout=840),
}


@dataclass(frozen=True)
class Stage:
    """The settings of a deployment stage."""

    name: Literal["local", "dev", "prod"]
    layers: Literal["local", "lambda-arm64"]  # platform to build for

    # Sizes
    database_instance: str
    database_storage: int  # GiB, initial
    database_storage_limit: int  # GiB, for storage autoscaling
    multi_az: bool
    proxy: bool
    nat: Literal["gateway", "instance"]
    scene_concurrency: int  # MaxConcurrency of a run's Map state over scenes
    requests_per_second: int
    request_burst: int
    functions: Mapping[str, FunctionSize] = field(default_factory=lambda: SIZES)

    # Retention
    # Whether deleting the stack retains the bucket, a database snapshot, and the secrets that
    # cannot be generated again.
    keep_data: bool = False
    log_days: int = 14
    backup_days: int = 1
    old_version_days: int = 1  # noncurrent object versions of media
    inbox_days: int = 7

    # Endpoints
    database_tls: Literal["verify-full", "disable"] = "verify-full"
    text_provider: str = models.BY_KEY
    image_provider: str = models.BY_KEY
    video_provider: str = models.BY_KEY
    speech_provider: str = models.BY_KEY
    openai_base_url: str = ""
    runway_base_url: str = ""
    provider_limits: str = ""  # overrides, see common.domain.provider_limits
    operator_user_id: str = "operator"
    daily_cap_usd: str = "100"  # for all API keys together
    cors_origins: tuple[str, ...] = ()
    availability_zones: tuple[str, ...] = ()  # empty: the region's first two by name
    snapshot: str = ""  # database snapshot to restore from
    media_bucket: str = ""  # retained by a deleted stack, to be imported
    nat_image: str = ""  # AMI of the NAT instance; empty: the newest at deployment
    alarm_email: str = ""  # recipient of alarms
    hourly_alarm_usd: str = "25"  # alarm threshold for paid calls in one hour
    monthly_budget_usd: str = ""  # AWS costs of the stack; empty: no budget
    log_level: str = "INFO"

    @property
    def stack_name(self) -> str:
        """Name of the stack, and prefix of its functions, log groups and dashboard."""
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
        database_tls="disable",  # loopback only; the local PostgreSQL has no TLS
        cors_origins=("http://localhost:3000",),
        # Not by key: the environment's keys may belong to other programs (infra.local.settings).
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

# Fields that a deployment can override: `-c text_provider=openai`.
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
    """Return the stage's settings in cdk.context.json; empty if the file does not exist.

    Raises ValueError, naming the file, if its content is invalid.
    """
    try:
        context = json.loads(file.read_text(encoding="utf-8"))
        return settings(context.get(name))
    except FileNotFoundError:
        return {}
    except (ValueError, AttributeError) as error:
        raise ValueError(f"{file.name}: {error}") from error


def settings(values: object) -> dict[str, str]:
    """Return settings as command-line strings; lists are joined by commas.

    Raises ValueError unless `values` is an object of strings, numbers and lists of strings.
    """
    if values is None:
        return {}
    if not isinstance(values, Mapping):
        raise ValueError('the settings of a stage must be an object, such as {"dev": {}}.')
    texts = {}
    for key, value in values.items():
        if isinstance(value, list) and all(isinstance(part, str) for part in value):
            texts[key] = ",".join(value)
        elif isinstance(value, str | int | float) and not isinstance(value, bool):
            texts[key] = str(value)
        else:
            raise ValueError(f"{key} must be a string, a number or a list of strings.")
    return texts


def stage(name: str, changes: Mapping[str, str] | None = None) -> Stage:
    """Return the stage with some SETTABLE fields replaced; list values are comma-separated.

    Raises ValueError, listing the allowed values, for an unknown stage, field, provider or limit.
    """
    if name not in STAGES:
        raise ValueError(f"Unknown stage {name!r}. Choose one of {', '.join(STAGES)}.")
    changes = changes or {}
    if unknown := sorted(set(changes) - set(SETTABLE)):
        raise ValueError(
            f"{', '.join(unknown)} cannot be set. Settable fields: {', '.join(SETTABLE)}."
        )
    lists = {known.name for known in fields(Stage) if known.type == tuple[str, ...]}
    values = {
        key: tuple(part for part in text.split(",") if part) if key in lists else text
        for key, text in changes.items()
    }
    _check(STAGES[name], changes)
    return replace(STAGES[name], **values)  # type: ignore[arg-type] # checked names, str or tuple


def _check(stage: Stage, changes: Mapping[str, str]) -> None:
    """Raise ValueError for values on which the deployment or the functions would fail."""
    provider_limits.read(changes.get("provider_limits", ""))
    zones = [zone for zone in changes.get("availability_zones", "").split(",") if zone]
    if zones and len(set(zones)) < 2:
        raise ValueError(
            "availability_zones: name at least two zones, such as us-east-1b,us-east-1c."
        )
    for name, (pattern, kind_of_value) in _PATTERNS.items():
        if (text := changes.get(name, "")) and not pattern.fullmatch(text):
            raise ValueError(f"{name}: {text!r} is not {kind_of_value}.")
    if changes.get("media_bucket") and not stage.keep_data:
        # `make destroy` would empty the imported bucket.
        raise ValueError(
            f"media_bucket: stage {stage.name} deletes its media with the stack. Use prod."
        )
    for kind in get_args(models.Kind):
        provider = changes.get(f"{kind}_provider")
        offered = {model.provider for model in models.models() if model.kind == kind}
        known = [*sorted(offered), models.BY_KEY]
        if provider is not None and provider not in known:
            raise ValueError(
                f"{kind}_provider: unknown provider {provider!r}. Choose one of {', '.join(known)}."
            )
