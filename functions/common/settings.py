"""Settings from the environment, checked at cold start. The only place that reads it.

Each function has one class of settings; `infra` sets the same names, and a test holds the two
against each other. A field is the lower-case name of its environment variable.
"""

import os
import re
from decimal import Decimal
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from common.schemas.base import Schema

_TRACE_ROOT = re.compile(r"\bRoot=(1-[0-9a-f]{8}-[0-9a-f]{24})\b")


class SettingsError(RuntimeError):
    """The function was deployed with settings missing or wrong; names each of them."""


class Settings(Schema):
    """What every function has."""

    model_config = ConfigDict(frozen=True, alias_generator=str.upper, extra="ignore")

    stage: str


class DatabaseSettings(Settings):
    """Where PostgreSQL is. The credentials are in the secret."""

    database_host: str
    database_port: int
    database_name: str
    database_secret_arn: str
    database_tls: Literal["verify-full", "disable"]


class MigrateSettings(DatabaseSettings):
    """Settings of the function `migrate`, whose secret is the owner's."""

    database_role_arns: str  # JSON: function -> ARN of the secret with its role and password


class StorageSettings(Settings):
    """Where media lie."""

    media_bucket: str


class ProviderSettings(StorageSettings):
    """Which providers work, and where their keys are."""

    text_provider: str
    image_provider: str
    video_provider: str
    speech_provider: str
    providers_secret_arn: str
    openai_base_url: str | None = None
    runway_base_url: str | None = None
    provider_limits: str = ""  # changes of what models.toml says (common.domain.provider_limits)


class SecretKeySettings(Settings):
    """Where the stack's secret lies, from which the operator's key and links are derived."""

    keys_secret_arn: str


class KeySettings(SecretKeySettings):
    """Whose the operator's key is."""

    operator_user_id: str


class PipelineSettings(Settings):
    """Which state machine makes videos."""

    state_machine_arn: str


class AuthorizerSettings(DatabaseSettings, KeySettings):
    """Settings of the function `authorizer`."""


class AdmissionSettings(DatabaseSettings, ProviderSettings, PipelineSettings):
    """What admits a video and starts its run."""

    daily_cap_usd: Decimal | None = None  # the breaker over all keys together


class ApiSettings(AdmissionSettings, SecretKeySettings):
    """Settings of the function `api`."""

    clip_function_name: str  # it speaks to the provider when jobs are canceled
    cors_origins: str = ""  # sites whose pages may call the API, separated by commas

    @property
    def origins(self) -> tuple[str, ...]:
        """Sites whose pages may call the API."""
        return tuple(origin for origin in self.cors_origins.split(",") if origin)


class IntakeSettings(AdmissionSettings):
    """Settings of the function `intake`."""

    inbox_receives: int  # how often the queue delivers a message before it gives up


class GenerationSettings(DatabaseSettings, ProviderSettings):
    """Settings of the functions that call providers: `story`, `image`, `speech`, `clip`."""


class AssemblySettings(DatabaseSettings, StorageSettings):
    """Settings of the functions that work on media alone: `merge`, `finish` and `register`."""


class SweeperSettings(DatabaseSettings, PipelineSettings, StorageSettings):
    """Settings of the function `sweeper`."""

    clip_function_name: str  # it speaks to the provider when jobs are collected


BY_FUNCTION: dict[str, type[Settings]] = {
    "authorizer": AuthorizerSettings,
    "api": ApiSettings,
    "intake": IntakeSettings,
    "story": GenerationSettings,
    "image": GenerationSettings,
    "speech": GenerationSettings,
    "clip": GenerationSettings,
    "merge": AssemblySettings,
    "finish": AssemblySettings,
    "register": AssemblySettings,
    "sweeper": SweeperSettings,
    "migrate": MigrateSettings,
}


class AwsSettings(Schema):
    """What the Lambda service itself puts into the environment."""

    model_config = ConfigDict(frozen=True, alias_generator=str.upper, extra="ignore")

    aws_region: str
    aws_access_key_id: str
    aws_secret_access_key: str
    aws_session_token: str | None = None
    aws_endpoint_url: str | None = None


def aws_region() -> str:
    """The region that the function runs in."""
    return load(AwsSettings).aws_region


class FunctionSettings(Schema):
    """What the Lambda service says of the function's size; elsewhere it is that of the merge."""

    model_config = ConfigDict(frozen=True, alias_generator=str.upper, extra="ignore")

    aws_lambda_function_memory_size: int = 3008


def function_memory() -> int:
    """The memory that the function has, in MiB."""
    return load(FunctionSettings).aws_lambda_function_memory_size


def trace_id() -> str | None:
    """The id of the X-Ray trace that this invocation is part of; None on one machine.

    Lambda puts it into the environment anew for every invocation: `Root=1-…;Parent=…;Sampled=1`.
    """
    if os.environ.get("STAGE") == "local":
        return None
    found = _TRACE_ROOT.search(os.environ.get("_X_AMZN_TRACE_ID", ""))
    return found[1] if found else None


def name_user(name: str) -> None:
    """Name the user of the process, for libraries that ask, where the system has no name for it."""
    os.environ.setdefault("LOGNAME", name)


S = TypeVar("S", bound=BaseModel)


def load(settings: type[S]) -> S:
    """Read settings from the environment; raises SettingsError with every name at fault."""
    try:
        return settings.model_validate(dict(os.environ))
    except ValidationError as error:
        faults = "; ".join(f"{fault['loc'][0]}: {fault['msg']}" for fault in error.errors())
        raise SettingsError(f"The function's environment is not complete: {faults}.") from None
