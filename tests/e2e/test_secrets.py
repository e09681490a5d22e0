"""Nothing tells what it must not: marked keys, prompts and pictures, through runs good and bad.

Every secret of a run holds a mark that is found nowhere else. After a run that succeeds, runs that
fail in each way in which a vendor speaks of keys and prompts, and requests that are refused, all
that is written is searched: logs, execution histories, answers, every column of the database, keys
and metadata of every object, and the receipts. Each search also has to find what is no secret, so
none of them looks at the wrong place.
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
from tests.e2e.client import Backstage, Client
from tests.e2e.vendors import PAID, Vendors, serve
from tests.support import canaries

# The story stand-in repeats the first words of a prompt, as a model would; the last stay behind.
TOLD = "CANARYheronTOLD"
UNTOLD = "CANARYotterUNTOLD"
PROMPT = f"{TOLD} sails over a lake of glass at dawn while the bells of the town ring {UNTOLD}"
IN_CHUNK, IN_EXIF = "CANARYchunkMAGPIE", "CANARYexifJACKDAW"
_DESCRIPTION = 0x010E  # EXIF's ImageDescription

ALLOWED = {
    "told": {
        "video_sessions.original_prompt",
        "video_sessions.story_title",
        "video_sessions.story_overview",
        "video_frames.description",
        "video_frames.prompt",
        "video_frames.scene_story",
        "video_frames.story_title",
        "video_frames.story_overview",
        "idempotency_keys.body",  # the answer as it was given to the owner
        "media.name",  # of a view, that the owner's search reads
        "media.words",
    },
    "untold": {"video_sessions.original_prompt", "idempotency_keys.body", "media.words"},
}
# How a run is made to fail -> what the owner is told.
FAILURES = {
    ("openai", "responses", "401"): "provider.key",
    ("openai", "images.generations", "moderation_input"): "safety.input",
    ("openai", "images.generations", "not_a_picture"): "image.unusable",
    ("openai", "images.generations", "charge_then_500"): "provider.outcome_unknown",
    ("runway", "image_to_video", "no_credits"): "provider.credits",
}


@dataclass
class Told:
    """What was done, and what was told of it: refusals and failures, and all other answers."""

    picture: bytes
    client: Client
    vendors: Vendors
    runs: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)

    def ended(self, video: dict[str, Any]) -> None:
        """Read all that the owner of a video can read of it."""
        self.runs.append(video["run_id"])
        path = f"/v1/videos/{video['id']}"
        for shown in (path, f"{path}/events"):
            answer = self.client.call("GET", shown)
            assert answer.status_code == 200, answer.text
            self.answers.append(f"{answer.headers} {answer.text}")

    def refused(self, client: Client, method: str, path: str, body: Any = None) -> None:
        """Make a request that is refused, and keep what it said."""
        answer = client.call(method, path, body)
        assert answer.status_code >= 400
        self.errors.append(f"{answer.headers} {answer.text}")


@pytest.fixture(scope="module")
def vendors(
    link: Connection, backstage: Backstage, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Vendors]:
    with serve(link, backstage, Path(tmp_path_factory.mktemp("vendors"))) as both:
        yield both


@pytest.fixture(scope="module")
def told(vendors: Vendors, as_user: Callable[[str], Client]) -> Told:
    """Do it all."""
    client = as_user("secretive")
    done = Told(picture(), client, vendors)
    wish = {
        "prompt": PROMPT,
        "scenes": 1,
        "seconds": 2,
        "models": PAID,
        "image": base64.b64encode(done.picture).decode(),
    }
    made = client.call("POST", "/v1/videos", wish, headers={"Idempotency-Key": "told-once"})
    assert made.status_code == 202, made.text
    ended = client.wait(made.json()["id"])
    assert ended["status"] == "succeeded", ended["error"]
    done.ended(ended)
    del wish["image"]
    for (vendor, endpoint, mode), code in FAILURES.items():
        stand_in = getattr(vendors, vendor)
        stand_in.fault(endpoint, mode)
        failed = client.wait(client.create(**wish)["id"])
        assert (failed["status"], failed["error"]["code"]) == ("failed", code)
        done.ended(failed)
        steps = [scene[kind] for scene in failed["scenes"] or () for kind in ("image", "clip")]
        done.errors.append(json.dumps([failed["error"], [step["error"] for step in steps]]))
    for change in ({"style": "none such"}, {"scenes": 0}, {"image": wish["prompt"]}):
        done.refused(client, "POST", "/v1/videos", {**wish, **change})
    done.refused(client, "POST", "/v1/videos", {**wish, "strange": client.key})
    stranger = Client(client.base_url, f"{(client.key or '')[:-1]}_")
    done.refused(stranger, "GET", "/v1/videos")
    for path in ("/v1/videos", "/v1/media", "/v1/usage", "/v1/models", "/v1/health"):
        answer = client.call("GET", path)
        assert answer.status_code == 200, answer.text
        done.answers.append(f"{answer.headers} {answer.text}")
    return done


def picture() -> bytes:
    """Return a picture of noise, with marks in a text chunk and in its EXIF."""
    noise = random.Random(4711).randbytes(64 * 64 * 3)
    image = Image.frombytes("RGB", (64, 64), noise)
    info, exif = PngInfo(), Image.Exif()
    info.add_text("Comment", IN_CHUNK)
    exif[_DESCRIPTION] = IN_EXIF
    out = io.BytesIO()
    image.save(out, "PNG", pnginfo=info, exif=exif)
    return out.getvalue()


@pytest.fixture(scope="module")
def marks(told: Told, link: Connection, backstage: Backstage) -> dict[str, str]:
    """Name of each canary -> its mark."""
    database, owner = (
        json.loads(
            link.client("secretsmanager").get_secret_value(
                SecretId=backstage.environment(function)["DATABASE_SECRET_ARN"]
            )["SecretString"]
        )
        for function in ("sweeper", "migrate")
    )
    secret_key = json.loads(
        link.client("secretsmanager").get_secret_value(SecretId=link.outputs["KeysSecretArn"])[
            "SecretString"
        ]
    )["SECRET_KEY"]
    pixels = Image.open(io.BytesIO(told.picture)).tobytes()[3000:3048]
    return {
        "openai key": told.vendors.openai.api_key,
        "runway key": told.vendors.runway.api_key,
        "api key": told.client.key or "",
        "operator's key": keys.operator_key(link),
        "secret of keys": secret_key,
        "database password": database["password"],
        "database owner's password": owner["password"],
        "told": TOLD,
        "untold": UNTOLD,
        "text chunk": IN_CHUNK,
        "exif": IN_EXIF,
        "picture, as sent": base64.b64encode(told.picture).decode()[4000:4064],
        "pixels": base64.b64encode(pixels).decode(),
        "pixels, in hex": pixels.hex(),
    }


def test_no_log_holds_a_secret(told: Told, cloud: Cloud, marks: dict[str, str]) -> None:
    logs = {path.name: path.read_text(errors="replace") for path in cloud.logs.iterdir()}
    _, *failed = told.runs
    assert [run_id for run_id in failed if run_id not in logs["functions.log"]] == []
    assert "step failed" in logs["functions.log"]
    for name, text in logs.items():
        assert canaries.found(marks, text) == set(), name


def test_no_history_of_an_execution_holds_a_secret(
    told: Told, link: Connection, backstage: Backstage, marks: dict[str, str]
) -> None:
    for run_id in told.runs:
        execution = backstage.execution(run_id)
        pages = (
            link.client("stepfunctions")
            .get_paginator("get_execution_history")
            .paginate(executionArn=execution["executionArn"])
        )
        shown = json.dumps([*pages, execution], default=str)
        assert "TaskStateEntered" in shown
        assert run_id in shown
        assert canaries.found(marks, shown) == set(), run_id


def test_no_error_holds_a_secret(told: Told, marks: dict[str, str]) -> None:
    assert len(told.errors) == len(FAILURES) + 5
    for text in told.errors:
        assert canaries.found(marks, text) == set(), text


def test_the_owner_reads_the_prompt_back_and_no_other_secret(
    told: Told, marks: dict[str, str]
) -> None:
    read = [canaries.found(marks, text) for text in told.answers]
    assert set().union(*read) == {"told", "untold"}


def test_no_column_holds_a_secret_that_is_not_its_own(
    told: Told, backstage: Backstage, marks: dict[str, str]
) -> None:
    with backstage.database() as cursor:
        held = canaries.columns(cursor, marks)
    assert {"video_sessions.original_prompt", "video_frames.prompt"} <= held["told"]
    assert held["untold"] == ALLOWED["untold"]
    assert canaries.misplaced(held, ALLOWED) == {}


def test_no_object_tells_a_secret_beside_what_it_is(
    told: Told, link: Connection, marks: dict[str, str]
) -> None:
    s3, bucket = link.client("s3"), link.outputs["MediaBucketName"]
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    names = [item["Key"] for page in pages for item in page.get("Contents", [])]
    own = [name for name in names if name.startswith("secretive/")]
    assert any("/receipts/" in name for name in own)
    assert any("/user-uploads/" in name for name in own)
    for name in names:
        kept = s3.get_object(Bucket=bucket, Key=name)
        body = kept.pop("Body").read().decode("latin-1")
        tags = s3.get_object_tagging(Bucket=bucket, Key=name)["TagSet"]
        beside = json.dumps([name, kept, tags], default=str)
        assert canaries.found(marks, beside) == set(), name
        # The owner's: what was told, in receipts and captions, and what was asked for, beside the
        # video that came of it.
        may_hold = {"told"} if name in own else set()
        if name in own and "/provenance/" in name:
            may_hold.add("untold")
        assert canaries.found(marks, body) <= may_hold, name


def test_no_vendor_is_sent_a_key_or_mark_that_is_not_for_it(
    told: Told, marks: dict[str, str]
) -> None:
    for vendor, own in ((told.vendors.openai, "openai key"), (told.vendors.runway, "runway key")):
        assert vendor.leaks() == []
        others = {name: mark for name, mark in marks.items() if name not in (own, "told", "untold")}
        spoken = json.dumps([vendor.requests(), [c.as_json() for c in vendor.charges()]])
        assert canaries.found(others, spoken) == set()
