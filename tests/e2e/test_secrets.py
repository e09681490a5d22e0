"""Secrets and content do not leak: canaries in keys, prompts and images of several runs.

Every secret contains a unique canary. After a successful run, runs that fail with errors that
mention keys and prompts, and rejected requests, the test searches all that was written: logs,
execution histories, responses, every database column, keys and metadata of every object, and
receipts. Each search must also find a value that is no secret, so that none searches the wrong
place.
"""

import base64
import io
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from infra.local.cloud import Cloud
from infra.local.connection import Connection
from infra.operator import keys
from tests.e2e.client import Client, StackAccess
from tests.e2e.vendors import PAID, Vendors, serve
from tests.support import canaries

# The story stand-in repeats only the first words of a prompt, as a model would.
REPEATED = "CANARYheronTOLD"
UNREPEATED = "CANARYotterUNTOLD"
PROMPT = (
    f"{REPEATED} sails over a lake of glass at dawn while the bells of the town ring {UNREPEATED}"
)
IN_CHUNK, IN_EXIF = "CANARYchunkMAGPIE", "CANARYexifJACKDAW"
_DESCRIPTION = 0x010E  # EXIF's ImageDescription

ALLOWED = {
    "repeated": {
        "video_sessions.original_prompt",
        "video_sessions.story_title",
        "video_sessions.story_overview",
        "video_frames.description",
        "video_frames.prompt",
        "video_frames.scene_story",
        "video_frames.story_title",
        "video_frames.story_overview",
        "idempotency_keys.body",  # the response that the owner received
        "media.name",  # in a view that the owner's search reads
        "media.words",
    },
    "hidden": {"video_sessions.original_prompt", "idempotency_keys.body", "media.words"},
}
# Fault that makes a run fail -> error code.
FAILURES = {
    ("openai", "responses", "401"): "provider.key",
    ("openai", "images.generations", "moderation_input"): "safety.input",
    ("openai", "images.generations", "not_a_picture"): "image.unusable",
    ("openai", "images.generations", "charge_then_500"): "provider.outcome_unknown",
    ("runway", "image_to_video", "no_credits"): "provider.credits",
}


@dataclass
class Record:
    """The runs, with the texts of all errors and of all other responses."""

    canary_image: bytes
    client: Client
    vendors: Vendors
    runs: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)

    def record_video(self, video: dict[str, Any]) -> None:
        """Record all responses about a video that its owner can read."""
        self.runs.append(video["run_id"])
        path = f"/v1/videos/{video['id']}"
        for url in (path, f"{path}/events"):
            response = self.client.call("GET", url)
            assert response.status_code == 200, response.text
            self.answers.append(f"{response.headers} {response.text}")

    def record_rejection(self, client: Client, method: str, path: str, body: Any = None) -> None:
        """Send a request that is rejected, and record the response."""
        response = client.call(method, path, body)
        assert response.status_code >= 400
        self.errors.append(f"{response.headers} {response.text}")


@pytest.fixture(scope="module")
def vendors(
    link: Connection, stack: StackAccess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Vendors]:
    with serve(link, stack, Path(tmp_path_factory.mktemp("vendors"))) as both:
        yield both


@pytest.fixture(scope="module")
def record(vendors: Vendors, as_user: Callable[[str], Client]) -> Record:
    """Execute all runs and requests."""
    client = as_user("secretive")
    record = Record(canary_image(), client, vendors)
    request = {
        "prompt": PROMPT,
        "scenes": 1,
        "seconds": 2,
        "models": PAID,
        "image": base64.b64encode(record.canary_image).decode(),
    }
    accepted = client.call(
        "POST", "/v1/videos", request, headers={"Idempotency-Key": "repeated-once"}
    )
    assert accepted.status_code == 202, accepted.text
    ended = client.wait(accepted.json()["id"])
    assert ended["status"] == "succeeded", ended["error"]
    record.record_video(ended)
    del request["image"]
    for (vendor, endpoint, mode), code in FAILURES.items():
        stand_in = getattr(vendors, vendor)
        stand_in.fault(endpoint, mode)
        failed = client.wait(client.create(**request)["id"])
        assert (failed["status"], failed["error"]["code"]) == ("failed", code)
        record.record_video(failed)
        steps = [scene[kind] for scene in failed["scenes"] or () for kind in ("image", "clip")]
        record.errors.append(json.dumps([failed["error"], [step["error"] for step in steps]]))
    for change in ({"style": "none such"}, {"scenes": 0}, {"image": request["prompt"]}):
        record.record_rejection(client, "POST", "/v1/videos", {**request, **change})
    record.record_rejection(client, "POST", "/v1/videos", {**request, "strange": client.key})
    wrong_key_client = Client(client.base_url, f"{(client.key or '')[:-1]}_")
    record.record_rejection(wrong_key_client, "GET", "/v1/videos")
    for path in ("/v1/videos", "/v1/media", "/v1/usage", "/v1/models", "/v1/health"):
        response = client.call("GET", path)
        assert response.status_code == 200, response.text
        record.answers.append(f"{response.headers} {response.text}")
    return record


def canary_image() -> bytes:
    """Return an image of noise with canaries in a text chunk and in its EXIF data."""
    noise = random.Random(4711).randbytes(64 * 64 * 3)
    image = Image.frombytes("RGB", (64, 64), noise)
    info, exif = PngInfo(), Image.Exif()
    info.add_text("Comment", IN_CHUNK)
    exif[_DESCRIPTION] = IN_EXIF
    out = io.BytesIO()
    image.save(out, "PNG", pnginfo=info, exif=exif)
    return out.getvalue()


@pytest.fixture(scope="module")
def canary_values(record: Record, link: Connection, stack: StackAccess) -> dict[str, str]:
    """The canaries by name."""
    database, owner = (
        json.loads(
            link.client("secretsmanager").get_secret_value(
                SecretId=stack.environment(function)["DATABASE_SECRET_ARN"]
            )["SecretString"]
        )
        for function in ("sweeper", "migrate")
    )
    secret_key = json.loads(
        link.client("secretsmanager").get_secret_value(SecretId=link.outputs["KeysSecretArn"])[
            "SecretString"
        ]
    )["SECRET_KEY"]
    pixels = Image.open(io.BytesIO(record.canary_image)).tobytes()[3000:3048]
    return {
        "openai key": record.vendors.openai.api_key,
        "runway key": record.vendors.runway.api_key,
        "api key": record.client.key or "",
        "operator's key": keys.operator_key(link),
        "secret of keys": secret_key,
        "database password": database["password"],
        "database owner's password": owner["password"],
        "repeated": REPEATED,
        "hidden": UNREPEATED,
        "text chunk": IN_CHUNK,
        "exif": IN_EXIF,
        "picture, as sent": base64.b64encode(record.canary_image).decode()[4000:4064],
        "pixels": base64.b64encode(pixels).decode(),
        "pixels, in hex": pixels.hex(),
    }


def test_logs_contain_no_canary(
    record: Record, cloud: Cloud, canary_values: dict[str, str]
) -> None:
    logs = {path.name: path.read_text(errors="replace") for path in cloud.logs.iterdir()}
    _, *failed = record.runs
    assert [run_id for run_id in failed if run_id not in logs["functions.log"]] == []
    assert "step failed" in logs["functions.log"]
    for name, text in logs.items():
        assert canaries.found(canary_values, text) == set(), name


def test_execution_histories_contain_no_canary(
    record: Record, link: Connection, stack: StackAccess, canary_values: dict[str, str]
) -> None:
    for run_id in record.runs:
        execution = stack.execution(run_id)
        pages = (
            link.client("stepfunctions")
            .get_paginator("get_execution_history")
            .paginate(executionArn=execution["executionArn"])
        )
        history = json.dumps([*pages, execution], default=str)
        assert "TaskStateEntered" in history
        assert run_id in history
        assert canaries.found(canary_values, history) == set(), run_id


def test_errors_contain_no_canary(record: Record, canary_values: dict[str, str]) -> None:
    assert len(record.errors) == len(FAILURES) + 5
    for text in record.errors:
        assert canaries.found(canary_values, text) == set(), text


def test_responses_contain_only_canaries_of_prompt(
    record: Record, canary_values: dict[str, str]
) -> None:
    found = [canaries.found(canary_values, text) for text in record.answers]
    assert set().union(*found) == {"repeated", "hidden"}


def test_database_columns_contain_only_allowed_canaries(
    record: Record, stack: StackAccess, canary_values: dict[str, str]
) -> None:
    with stack.database() as cursor:
        columns = canaries.columns(cursor, canary_values)
    assert {"video_sessions.original_prompt", "video_frames.prompt"} <= columns["repeated"]
    assert columns["hidden"] == ALLOWED["hidden"]
    assert canaries.misplaced(columns, ALLOWED) == {}


def test_objects_and_metadata_contain_only_allowed_canaries(
    record: Record, link: Connection, canary_values: dict[str, str]
) -> None:
    s3, bucket = link.client("s3"), link.outputs["MediaBucketName"]
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    names = [item["Key"] for page in pages for item in page.get("Contents", [])]
    owned = [name for name in names if name.startswith("secretive/")]
    assert any("/receipts/" in name for name in owned)
    assert any("/user-uploads/" in name for name in owned)
    for name in names:
        stored = s3.get_object(Bucket=bucket, Key=name)
        body = stored.pop("Body").read().decode("latin-1")
        tags = s3.get_object_tagging(Bucket=bucket, Key=name)["TagSet"]
        metadata = json.dumps([name, stored, tags], default=str)
        assert canaries.found(canary_values, metadata) == set(), name
        # The owner's receipts and captions may repeat the prompt, and the provenance record
        # contains all of it.
        may_hold = {"repeated"} if name in owned else set()
        if name in owned and "/provenance/" in name:
            may_hold.add("hidden")
        assert canaries.found(canary_values, body) <= may_hold, name


def test_vendors_receive_only_their_own_key(record: Record, canary_values: dict[str, str]) -> None:
    for vendor, own_key in (
        (record.vendors.openai, "openai key"),
        (record.vendors.runway, "runway key"),
    ):
        assert vendor.leaks() == []
        canaries_of_others = {
            name: value
            for name, value in canary_values.items()
            if name not in (own_key, "repeated", "hidden")
        }
        recorded = json.dumps([vendor.requests(), [c.as_json() for c in vendor.charges()]])
        assert canaries.found(canaries_of_others, recorded) == set()
