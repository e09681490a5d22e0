"""Settings: what is missing is named."""

import pytest

from common import settings

COMPLETE = {
    "STAGE": "dev",
    "DATABASE_HOST": "db",
    "DATABASE_PORT": "5432",
    "DATABASE_NAME": "video",
    "DATABASE_SECRET_ARN": "arn:db",
    "DATABASE_TLS": "verify-full",
    "KEYS_SECRET_ARN": "arn:keys",
    "OPERATOR_USER_ID": "operator",
}


def test_a_complete_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in COMPLETE.items():
        monkeypatch.setenv(name, value)
    read = settings.load(settings.AuthorizerSettings)
    assert read.database_port == 5432


@pytest.mark.parametrize("missing", COMPLETE)
def test_what_is_missing_is_named(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in COMPLETE.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv(missing)
    with pytest.raises(settings.SettingsError, match=missing):
        settings.load(settings.AuthorizerSettings)


def test_a_wrong_value_is_named_but_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in COMPLETE.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DATABASE_TLS", "hunter2")
    with pytest.raises(settings.SettingsError, match="DATABASE_TLS") as caught:
        settings.load(settings.AuthorizerSettings)
    assert "hunter2" not in str(caught.value)
