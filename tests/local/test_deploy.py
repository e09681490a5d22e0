"""Deploying an assembly and reading settings: unchanged, changed and failing deployments."""

import json
from pathlib import Path

import pytest

from infra.local import settings
from infra.local.connection import Connection, local_url
from infra.local.deploy import Assembly, deploy
from infra.local.errors import LocalCloudError
from tests.local import small_stack


@pytest.fixture
def directory(root: Path) -> Path:
    """The assembly from which `small` was deployed."""
    return root / "assembly"


def test_deploy_without_change_keeps_outputs(small: Connection, directory: Path) -> None:
    assert deploy(Assembly.load(small_stack.write(directory)), small) == small.outputs


def test_deploy_changed_then_failing_then_restored(small: Connection, directory: Path) -> None:
    progress: list[tuple[int, int]] = []
    changed = Assembly.load(small_stack.write(directory, digest="2"))
    outputs = deploy(changed, small, lambda done, total: progress.append((done, total)))
    assert outputs == {**small.outputs, "Seen": "2"}
    assert (
        progress[-1][0]
        == progress[-1][1]
        == len(json.loads(changed.template.read_text())["Resources"])
    )

    broken = Assembly.load(small_stack.write(directory, digest="3", fail="raise"))
    with pytest.raises(LocalCloudError) as failure:
        deploy(broken, small)
    text = str(failure.value)
    assert "Migrations (Custom::DatabaseMigrations)" in text
    assert "column already exists" in text
    assert "Nothing was deleted" in text

    restored = Assembly.load(small_stack.write(directory))
    assert deploy(restored, small) == small.outputs


def test_assembly_must_have_one_stack(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"artifacts": {}}')
    with pytest.raises(LocalCloudError, match="0 stacks"):
        Assembly.load(tmp_path)


def test_put_provider_keys_updates_secret(small: Connection) -> None:
    secrets = small.client("secretsmanager")

    def stored() -> dict[str, str]:
        response = secrets.get_secret_value(SecretId=small.outputs["ProvidersSecretArn"])
        keys: dict[str, str] = json.loads(response["SecretString"])
        return keys

    assert settings.put_provider_keys(small, {"OTHER": "x"}) == []
    assert stored() == {"OPENAI_API_KEY": "", "RUNWAY_API_KEY": ""}
    assert settings.put_provider_keys(small, {"OPENAI_API_KEY": "sk-1", "OTHER": "x"}) == [
        "OPENAI_API_KEY"
    ]
    assert stored() == {"OPENAI_API_KEY": "sk-1", "RUNWAY_API_KEY": ""}


def test_read_env_file(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("# keys\n\nOPENAI_API_KEY=sk-1 # mine\nexport RUNWAY_API_KEY='a=b'\nEMPTY=\n")
    assert settings.read_env_file(file) == {
        "OPENAI_API_KEY": "sk-1",
        "RUNWAY_API_KEY": "a=b",
        "EMPTY": "",
    }
    assert settings.read_env_file(tmp_path / "none") == {}
    file.write_text("A=1\nsk-secret-without-name\n")
    with pytest.raises(LocalCloudError, match="line 2") as error:
        settings.read_env_file(file)
    assert "sk-secret" not in str(error.value)


@pytest.mark.parametrize(
    ("file", "environment", "stage"),
    [
        ("", {}, {}),
        (
            "OPENAI_API_KEY=sk-1\n",
            {},
            {"text_provider": "openai", "image_provider": "openai", "speech_provider": "openai"},
        ),
        ("RUNWAY_API_KEY=key_1\n", {}, {"video_provider": "runway"}),
        ("RUNWAY_API_KEY=key_1\nVIDEO_PROVIDER=offline\n", {}, {"video_provider": "offline"}),
        ("RUNWAY_API_KEY=key_1\n", {"VIDEO_PROVIDER": "luma"}, {"video_provider": "luma"}),
        (
            "OPENAI_BASE_URL=http://127.0.0.1:1/v1\nPROVIDER_LIMITS=runway.jobs_at_once=5\n",
            {"RUNWAY_BASE_URL": "", "LOG_LEVEL": "DEBUG"},
            {
                "openai_base_url": "http://127.0.0.1:1/v1",
                "provider_limits": "runway.jobs_at_once=5",
            },
        ),
        # A key in the environment may be for other programs, so it does not enable a paid provider.
        ("", {"OPENAI_API_KEY": "sk-1"}, {}),
        ("", {"OPENAI_API_KEY": "sk-1", "TEXT_PROVIDER": "openai"}, {"text_provider": "openai"}),
    ],
)
def test_env_file_and_environment_select_providers(
    file: str, environment: dict[str, str], stage: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / ".env"
    path.write_text(file)
    assert settings.configured(environment, path).stage == stage


def test_provider_keys_are_read_from_both_and_hidden_in_repr(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("OPENAI_API_KEY=sk-file\nOTHER=x\n")
    configuration = settings.configured({"RUNWAY_API_KEY": "key-environment"}, path)
    assert configuration.keys == {"OPENAI_API_KEY": "sk-file", "RUNWAY_API_KEY": "key-environment"}
    assert "sk-file" not in repr(configuration)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("VIDEO_PROVIDER=sora", "unknown provider 'sora'. Choose one of luma, offline, runway"),
        ("PROVIDER_LIMITS=runway=5", "'runway=5' is not a limit"),
    ],
)
def test_invalid_setting_is_rejected_before_start(line: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text(line)
    with pytest.raises(LocalCloudError, match=message):
        settings.configured({}, path)


def test_local_url() -> None:
    url = "https://ab12cd34.execute-api.us-east-1.amazonaws.com/live/"
    endpoint = "http://127.0.0.1:8"
    assert local_url(url, endpoint) == "http://127.0.0.1:8/_aws/execute-api/ab12cd34/live"
    assert local_url("http://127.0.0.1:9/live/", endpoint) == "http://127.0.0.1:9/live"
