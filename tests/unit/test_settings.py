"""Settings are read from the environment, and errors name the variable."""

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


def test_complete_environment_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in COMPLETE.items():
        monkeypatch.setenv(name, value)
    loaded = settings.load(settings.AuthorizerSettings)
    assert loaded.database_port == 5432


@pytest.mark.parametrize("missing", COMPLETE)
def test_missing_variable_is_named(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in COMPLETE.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv(missing)
    with pytest.raises(settings.SettingsError, match=missing):
        settings.load(settings.AuthorizerSettings)


def test_invalid_value_is_named_but_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in COMPLETE.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DATABASE_TLS", "hunter2")
    with pytest.raises(settings.SettingsError, match="DATABASE_TLS") as caught:
        settings.load(settings.AuthorizerSettings)
    assert "hunter2" not in str(caught.value)
