"""Scripted faults: the effect on a client and the charge book for every general mode.

The client is `requests` without retries.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.stand_ins import openai
from tests.stand_ins.process import StandIn

PROJECT = Path(__file__).parent.parent.parent
BODY = {"model": "gpt-6-luna", "input": "Tell me"}


@pytest.fixture(scope="module")
def openai_stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    with openai.serve(tmp_path_factory.mktemp("book")) as openai_stand_in:
        yield openai_stand_in


@pytest.fixture
def vendor(openai_stand_in: StandIn) -> Iterator[StandIn]:
    openai_stand_in.clear()
    yield openai_stand_in
    openai_stand_in.clear()


def post(vendor: StandIn, body: Any = BODY, timeout: float = 5) -> requests.Response:
    headers = {"authorization": f"Bearer {vendor.api_key}"}
    return requests.post(
        f"{vendor.base_url}/responses", json=body, headers=headers, timeout=timeout
    )


def count_charges(vendor: StandIn, call: Callable[[], object]) -> int:
    before = len(vendor.charges())
    call()
    return len(vendor.charges()) - before


# -- responses -------------------------------------------------------------------------------------
@pytest.mark.parametrize("status", [401, 402, 403, 404, 413, 429, 500, 502, 503])
def test_fault_status_is_not_charged(vendor: StandIn, status: int) -> None:
    vendor.fault("responses", str(status))
    assert count_charges(vendor, lambda: [post(vendor)]) == 0
    assert vendor.requests("responses")[-1]["status"] == status
    assert post(vendor).status_code == 200


@pytest.mark.parametrize("status", [302, 409, 425, 429, 500, 502, 503, 504, 520])
def test_fault_charge_then_status_is_charged(vendor: StandIn, status: int) -> None:
    vendor.fault("responses", f"charge_then_{status}")
    assert count_charges(vendor, lambda: [post(vendor)]) == 1
    assert vendor.requests("responses")[-1]["status"] == status
    assert vendor.charges()[-1].fault == str(status)
    assert vendor.charges()[-1].job


def test_fault_page_status_returns_html(vendor: StandIn) -> None:
    vendor.fault("responses", "charge_then_page_503")
    responses: list[requests.Response] = []
    assert count_charges(vendor, lambda: responses.append(post(vendor))) == 1
    assert (responses[0].status_code, responses[0].headers["content-type"]) == (503, "text/html")


def test_fault_504_is_charged_unless_disabled(vendor: StandIn) -> None:
    vendor.fault("responses", "504")
    vendor.fault("responses", "504", charged=False)
    assert count_charges(vendor, lambda: [post(vendor)]) == 1
    assert count_charges(vendor, lambda: [post(vendor)]) == 0


def test_fault_429_with_and_without_retry_after(vendor: StandIn) -> None:
    vendor.fault("responses", "429")
    vendor.fault("responses", "429", retry_after=3)
    assert "retry-after" not in post(vendor).headers
    assert post(vendor).headers["retry-after"] == "3"


@pytest.mark.parametrize(
    ("mode", "charges"),
    [("reset", 0), ("charge_then_reset", 1), ("truncated", 1)],
)
def test_fault_connection_errors(vendor: StandIn, mode: str, charges: int) -> None:
    vendor.fault("responses", mode)

    def call() -> None:
        broken = (requests.ConnectionError, requests.exceptions.ChunkedEncodingError)
        with pytest.raises(broken) as raised:
            post(vendor)
        assert ("reset by peer" in str(raised.value)) is mode.endswith("reset")

    assert count_charges(vendor, call) == charges


@pytest.mark.parametrize(("mode", "charges"), [("hang", 0), ("charge_then_hang", 1)])
def test_fault_hang_times_out(vendor: StandIn, mode: str, charges: int) -> None:
    vendor.fault("responses", mode)

    def call() -> None:
        with pytest.raises(requests.ReadTimeout):
            post(vendor, timeout=0.2)

    assert count_charges(vendor, call) == charges


def test_fault_hang_ends_when_released(vendor: StandIn) -> None:
    vendor.fault("responses", "hang", times=2)
    with ThreadPoolExecutor() as pool:
        calls = [pool.submit(post, vendor) for _ in range(2)]
        while len(vendor.requests("responses")) < 2 or vendor.waiting():
            time.sleep(0.01)
        time.sleep(0.05)
        vendor.release_hanging_calls()
        assert {type(call.exception(timeout=5)) for call in calls} == {requests.ConnectionError}


def test_fault_2xx_without_content(vendor: StandIn) -> None:
    for mode in ("html", "empty", "missing_id"):
        vendor.fault("responses", mode)
    vendor.fault("responses", "slow", seconds=0.2)
    responses: list[requests.Response] = []
    assert count_charges(vendor, lambda: responses.extend(post(vendor) for _ in range(4))) == 4
    page, empty, without, slow = responses
    assert {response.status_code for response in responses} == {200}
    assert page.text.startswith("<html>")
    assert empty.content == b""
    assert "id" not in without.json()
    assert "status" in without.json()
    assert slow.json()["id"]


def test_refusing_closes_port_within_context(vendor: StandIn) -> None:
    with requests.Session() as session:
        headers = {"authorization": f"Bearer {vendor.api_key}"}
        assert session.get(f"{vendor.base_url}/models", headers=headers, timeout=5).ok
        with vendor.refusing():
            for call in (session.get, requests.get):
                with pytest.raises(requests.ConnectionError) as raised:
                    call(f"{vendor.base_url}/models", headers=headers, timeout=5)
                assert "Connection refused" in str(raised.value)
        assert session.get(f"{vendor.base_url}/models", headers=headers, timeout=5).ok


# -- selecting calls -------------------------------------------------------------------------------
def test_fault_applies_to_call_number_and_times(vendor: StandIn) -> None:
    vendor.fault("responses", "503", call=2, times=2)
    assert [post(vendor).status_code for _ in range(4)] == [200, 503, 503, 200]
    vendor.clear()
    vendor.fault("responses", "500", times=None)
    assert [post(vendor).status_code for _ in range(3)] == [500] * 3
    vendor.clear()
    assert post(vendor).status_code == 200


def test_fault_applies_to_calls_containing_text(vendor: StandIn) -> None:
    vendor.fault("responses", "500", containing="second", times=None)
    statuses = [post(vendor, {**BODY, "input": word}).status_code for word in ("first", "second")]
    assert statuses == [200, 500]


def test_fault_applies_to_any_endpoint(vendor: StandIn) -> None:
    vendor.fault("*", "503")
    assert requests.get(f"{vendor.base_url}/models", timeout=5).status_code == 503
    assert vendor.waiting() == 0


def test_fault_does_not_accept_invalid_request(vendor: StandIn) -> None:
    vendor.fault("responses", "charge_then_500")
    assert count_charges(vendor, lambda: [post(vendor, {"model": "gpt-9", "input": "x"})]) == 0
    assert vendor.requests("responses")[-1]["status"] == 404


def test_fault_with_unknown_endpoint_or_mode_is_rejected(vendor: StandIn) -> None:
    for endpoint, mode in (("reponses", "500"), ("responses", "null_b64"), ("models", "vector:x")):
        with pytest.raises(ValueError, match="fault:"):
            vendor.fault(endpoint, mode)
    with pytest.raises(ValueError, match="unknown options"):
        vendor.set(speed=3)


# -- charge book -----------------------------------------------------------------------------------
def test_equal_requests_have_equal_fingerprints(vendor: StandIn) -> None:
    for text in ("one", "one", "two"):
        post(vendor, {**BODY, "input": text})
    fingerprints = [charge.fingerprint for charge in vendor.charges()[-3:]]
    assert fingerprints[0] == fingerprints[1] != fingerprints[2]


def test_recorded_requests_omit_api_key(vendor: StandIn) -> None:
    post(vendor)
    row = vendor.requests("responses")[-1]
    assert row["headers"]["user-agent"].startswith("python-requests")
    assert vendor.api_key not in json.dumps(row)


def test_concurrent_calls_are_all_charged(vendor: StandIn) -> None:
    with ThreadPoolExecutor(8) as pool:

        def call() -> None:
            assert {a.status_code for a in pool.map(lambda _: post(vendor), range(40))} == {200}

        assert count_charges(vendor, call) == 40


def test_incomplete_request_is_not_recorded(vendor: StandIn) -> None:
    host, port = vendor.url.removeprefix("http://").split(":")
    before = len(vendor.requests())
    with socket.create_connection((host, int(port))) as connection:
        head = "POST /v1/responses HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        head += f"authorization: Bearer {vendor.api_key}\r\ncontent-length: 500\r\n\r\n"
        connection.sendall(head.encode() + json.dumps(BODY).encode())
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(100) == b""
    assert len(vendor.requests()) == before


# -- process ---------------------------------------------------------------------------------------
def test_stand_in_is_shared_by_processes(vendor: StandIn) -> None:
    other = StandIn(vendor.control_url)
    assert other.url == vendor.url
    other.fault("responses", "500")
    assert post(vendor).status_code == 500


def test_stand_in_ends_with_its_parent(tmp_path: Path) -> None:
    program = (
        "import pathlib, sys, time\n"
        "from tests.stand_ins import openai\n"
        "with openai.serve(pathlib.Path(sys.argv[1])) as vendor:\n"
        "    print(vendor.control_url, flush=True)\n"
        "    time.sleep(60)\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        stand_in = StandIn(parent.stdout.readline().strip())
        assert stand_in.charges() == []
        os.kill(parent.pid, signal.SIGKILL)
    for _ in range(100):
        try:
            stand_in.charges()
        except OSError:
            return
        time.sleep(0.05)
    pytest.fail("The stand-in survived its parent.")


def test_crash_of_stand_in_is_reported(tmp_path: Path) -> None:
    schema = {
        "type": "object",
        "properties": {"code": {"type": "string", "pattern": "^[0-9]{9}$"}},
        "required": ["code"],
        "additionalProperties": False,
    }
    form = {"type": "json_schema", "name": "Code", "strict": True, "schema": schema}
    with (
        pytest.raises(AssertionError, match="cannot write text for the pattern"),
        openai.serve(tmp_path) as vendor,
    ):
        assert post(vendor, {**BODY, "text": {"format": form}}).status_code == 500
