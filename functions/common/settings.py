"""Settings from the environment, validated at cold start. Only this module reads the environment.

Each function has one settings class. `infra` sets the same names, and a test compares them. A field
has the lower-case name of its environment variable.
"""

import os
import re
from decimal import Decimal
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from common.schemas.base import Schema

_TRACE_ROOT = re.compile(r"\bRoot=(1-[0-9a-f]{8}-[0-9a-f]{24})\b")


class SettingsError(RuntimeError):
    """Settings are missing or invalid; the message lists all of them."""


class Settings(Schema):
    """Settings of every function."""

    model_config = ConfigDict(frozen=True, alias_generator=str.upper, extra="ignore")

    stage: str


class DatabaseSettings(Settings):
    """Address of the PostgreSQL database, and the secret with the function's credentials."""

    database_host: str
    database_port: int
    database_name: str
    database_secret_arn: str
    database_tls: Literal["verify-full", "disable"]


class MigrateSettings(DatabaseSettings):
    """Settings of the function `migrate`, which connects as the database's owner."""

    database_role_arns: str  # JSON: function -> ARN of the secret with its role and password


class StorageSettings(Settings):
    """The bucket for media."""

    media_bucket: str


class ProviderSettings(StorageSettings):
    """The default providers, the secret with their keys, and their limits."""

    text_provider: str
    image_provider: str
    video_provider: str
    speech_provider: str
    providers_secret_arn: str
    openai_base_url: str | None = None
    runway_base_url: str | None = None
    provider_limits: str = ""  # overrides of models.toml (common.domain.provider_limits)


class SecretKeySettings(Settings):
    """The stack's secret, from which the operator's key and the keys of links are derived."""

    keys_secret_arn: str


class KeySettings(SecretKeySettings):
    """The user of the operator's key."""

    operator_user_id: str


class PipelineSettings(Settings):
    """The state machine that makes videos."""

    state_machine_arn: str


class AuthorizerSettings(DatabaseSettings, KeySettings):
    """Settings of the function `authorizer`."""


class AdmissionSettings(DatabaseSettings, ProviderSettings, PipelineSettings):
    """Settings of the functions that admit videos and start runs."""

    daily_cap_usd: Decimal | None = None  # the cap of the deployment, for all keys together


class ApiSettings(AdmissionSettings, SecretKeySettings):
    """Settings of the function `api`."""

    clip_function_name: str  # invoked to cancel jobs at their provider
    cors_origins: str = ""  # separated by commas

    @property
    def origins(self) -> tuple[str, ...]:
        """The origins that CORS allows."""
        return tuple(origin for origin in self.cors_origins.split(",") if origin)


class IntakeSettings(AdmissionSettings):
    """Settings of the function `intake`."""

    inbox_receives: int  # deliveries of a message before it goes to the dead-letter queue


class GenerationSettings(DatabaseSettings, ProviderSettings):
    """Settings of the functions that call providers: `story`, `image`, `speech`, `clip`."""


class AssemblySettings(DatabaseSettings, StorageSettings):
    """Settings of the functions that call no provider: `merge`, `finish` and `register`."""


class MergeSettings(AssemblySettings):
    """Settings of the function `merge`."""


class FinishSettings(AssemblySettings):
    """Settings of the function `finish`."""


class RegisterSettings(AssemblySettings):
    """Settings of the function `register`."""


class SweeperSettings(DatabaseSettings, PipelineSettings, StorageSettings):
    """Settings of the function `sweeper`."""

    clip_function_name: str  # invoked to collect jobs from their provider


BY_FUNCTION: dict[str, type[Settings]] = {
    "authorizer": AuthorizerSettings,
    "api": ApiSettings,
    "intake": IntakeSettings,
    "story": GenerationSettings,
    "image": GenerationSettings,
    "speech": GenerationSettings,
    "clip": GenerationSettings,
    "merge": MergeSettings,
    "finish": FinishSettings,
    "register": RegisterSettings,
    "sweeper": SweeperSettings,
    "migrate": MigrateSettings,
}


class AwsSettings(Schema):
    """The AWS settings that the Lambda service sets."""

    model_config = ConfigDict(frozen=True, alias_generator=str.upper, extra="ignore")

    aws_region: str
    aws_access_key_id: str
    aws_secret_access_key: str
    aws_session_token: str | None = None
    aws_endpoint_url: str | None = None


def aws_region() -> str:
    """Return the region that the function runs in."""
    return load(AwsSettings).aws_region


class FunctionSettings(Schema):
    """The function's memory size, set by the Lambda service; by default that of `merge`."""

    model_config = ConfigDict(frozen=True, alias_generator=str.upper, extra="ignore")

    aws_lambda_function_memory_size: int = 3008


def function_memory() -> int:
    """Return the function's memory in MiB."""
    return load(FunctionSettings).aws_lambda_function_memory_size


def trace_id() -> str | None:
    """Return the id of this invocation's X-Ray trace; None on the local stage.

    Lambda sets the variable for every invocation: `Root=1-…;Parent=…;Sampled=1`.
    """
    if os.environ.get("STAGE") == "local":
        return None
    match = _TRACE_ROOT.search(os.environ.get("_X_AMZN_TRACE_ID", ""))
    return match[1] if match else None


def set_user_name(name: str) -> None:
    """Set the process's user name, for libraries that need one on systems without an entry."""
    os.environ.setdefault("LOGNAME", name)


S = TypeVar("S", bound=BaseModel)


def load(settings: type[S]) -> S:
    """Read settings from the environment; raises SettingsError with all invalid names."""
    try:
        return settings.model_validate(dict(os.environ))
    except ValidationError as error:
        details = "; ".join(f"{detail['loc'][0]}: {detail['msg']}" for detail in error.errors())
        raise SettingsError(f"The function's environment is invalid: {details}.") from None
