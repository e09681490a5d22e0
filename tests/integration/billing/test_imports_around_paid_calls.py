"""Nothing is imported between the ledger's row and the paid call, or before its result is stored.

A crash in between would leave an unknown outcome without a call, or lose a paid result. Each step
runs in a new process, as in a cold start.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from common.database import Database, scenes
from common.settings import DatabaseSettings
from common.storage import MediaFolder
from tests.stand_ins import bedrock, openai, runway
from tests.stand_ins.process import StandIn
from tests.stand_ins.secrets_manager import SecretsManager
from tests.support.fixtures import PROVIDERS
from tests.support.rows import STORY, admit

PROJECT = Path(__file__).parents[3]
PAID = {
    "text_provider": "openai",
    "text_model": "gpt-6-luna",
    "image_provider": "openai",
    "image_model": "gpt-image-2.5-sunburst",
    "video_provider": "runway",
    "video_model": "gen4_turbo",
    "speech_provider": "openai",
    "speech_model": "gpt-audio-1.5",
    "output": {"narration": {}},
}
KINDS = ("TEXT", "IMAGE", "VIDEO", "SPEECH")
LUMA = {"video_provider": "luma", "video_model": "luma.ray-v2:0"}
OLD_VOICE = {"speech_model": "gpt-4o-mini-tts"}


@pytest.fixture(scope="module")
def vendors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, StandIn]]:
    root = tmp_path_factory.mktemp("vendors")
    with (
        openai.serve(root / "openai") as text_vendor,
        runway.serve(root / "runway") as video_vendor,
        bedrock.serve(root / "bedrock") as luma,
    ):
        yield {"openai": text_vendor, "runway": video_vendor, "luma": luma}


@pytest.mark.parametrize(
    ("function", "scene", "vendor", "changes"),
    [
        ("story", None, "openai", {}),
        ("image", 1, "openai", {}),
        ("image", 2, "openai", {}),
        ("speech", 1, "openai", {}),
        ("speech", 1, "openai", OLD_VOICE),
        ("clip", 1, "runway", {}),
        ("clip", 1, "luma", LUMA),
    ],
)
def test_paid_call_imports_nothing_before_or_after_the_request(
    function: str,
    scene: int | None,
    vendor: str,
    changes: dict[str, Any],
    vendors: dict[str, StandIn],
    database: Database,
    migrated: DatabaseSettings,
    secret_store: SecretsManager,
) -> None:
    video_id, run_id = admit(database, estimated_usd=Decimal(5), **{**PAID, **changes})
    if function != "story":
        _insert_story(database, video_id, with_image=function == "clip" or scene == 2)
    event: dict[str, Any] = {"run_id": run_id, "video_id": video_id}
    event |= {"scene": scene} if scene else {}
    event |= {"action": "start"} if function == "clip" else {}
    secret_store.secrets[PROVIDERS] = {
        "OPENAI_API_KEY": vendors["openai"].api_key,
        "RUNWAY_API_KEY": vendors["runway"].api_key,
    }
    environment = {
        **os.environ,
        **{key.upper(): str(value) for key, value in migrated.model_dump().items()},
        **dict.fromkeys((f"{kind}_PROVIDER" for kind in KINDS), "offline"),
        "PYTHONPATH": f"{PROJECT / 'functions'}{os.pathsep}{PROJECT}",
        "MEDIA_BUCKET": "media",
        "PROVIDERS_SECRET_ARN": PROVIDERS,
        "OPENAI_BASE_URL": vendors["openai"].base_url,
        "RUNWAY_BASE_URL": vendors["runway"].base_url,
        "AWS_DEFAULT_REGION": "us-west-2",
        "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": vendors["luma"].base_url,
    }
    port = str(urlsplit(vendors[vendor].base_url).port)
    process = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.support.imports_of_a_call",
            function,
            port,
            json.dumps(event),
        ],
        env=environment,
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert process.returncode == 0, process.stderr
    report = json.loads(process.stdout.splitlines()[-1])
    print(f"{function} {vendor}: {report['seconds'] * 1000:.0f} ms from the row to the call")
    assert report["seconds"] > 0, "no call was made"
    assert (report["before"], report["after"]) == ([], [])


def _insert_story(database: Database, video_id: str, *, with_image: bool) -> None:
    narrated = tuple(replace(scene, narration=f"Part {scene.number}.") for scene in STORY.scenes)
    with database.transaction() as cursor:
        scenes.insert_story(cursor, video_id, replace(STORY, scenes=narrated), "Cinematic", "Calm")
        if with_image:
            key = MediaFolder("alice", video_id).image(1, 1)
            scenes.finish_image(cursor, video_id, 1, 1, key=key, usd=Decimal(0))
