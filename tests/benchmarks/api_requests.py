"""Latency and throughput of creating and reading a video, compared with an empty Powertools route.

Measured over HTTP on the deployed local stack, with authorizer and limits (the empty route is a
separate function without them), and in this process by calling the handlers with the stack's
database and services. The state machine of the runs ends immediately.
"""

import io
import json
import os
import statistics
import tempfile
import threading
import time
import uuid
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from unittest import mock

import requests

from infra.local.cloud import running_cloud
from infra.local.connection import Connection, local_url
from infra.local.launcher_settings import REGION
from infra.operator import keys
from tests.benchmarks import bare
from tests.benchmarks.report import table
from tests.e2e.client import Client, StackAccess
from tests.support.gateway import Context, event_of, quietly

WISH = {"prompt": "A benchmark", "scenes": 1, "seconds": 2}
REQUESTS, WARM_UP, CLIENTS = 200, 20, 4
_FINISHED = {"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}

Ask = Callable[[], int]


@dataclass(frozen=True)
class Measured:
    """Seconds of each sequential request, and requests per second with several clients.

    `processor`: CPU seconds of this process for each request.
    """

    seconds: list[float]
    processor: list[float]
    per_second: float

    @property
    def p50(self) -> float:
        """The percentile in milliseconds."""
        return statistics.median(self.seconds) * 1000

    @property
    def p99(self) -> float:
        """The percentile in milliseconds."""
        return statistics.quantiles(self.seconds, n=100)[98] * 1000


def main() -> None:
    """Print requests per second, p50 and p99 of create and get, with ratios to the empty route."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        with running_cloud(Path(folder) / "cloud", report=lambda _: None) as cloud:
            measure_on(cloud.connection)


def measure_on(link: Connection, *, smallest: bool = False) -> None:
    """Measure on a deployed stack; restore it afterwards."""
    turns = (2, 1) if smallest else (REQUESTS, WARM_UP)
    with _runs_that_end_at_once(link):
        key = keys.mint_key(link, "bench", per_minute=10_000, maxConcurrentRuns=1000)
        client = Client(link.base_url, key)
        video = client.create(**WISH)["id"]
        bare_url = _deploy_bare(link)
        _report(
            f"Deployed local stack over HTTP; requests a second with {CLIENTS} clients",
            measure(_over_http(client, video, bare_url), CLIENTS, *turns),
        )
        with _as_the_function(link):
            alone = measure(_in_process(video), 1, *turns)
        _report("Handlers alone, in one process", alone)


@contextmanager
def _runs_that_end_at_once(link: Connection) -> Iterator[None]:
    states, arn = link.client("stepfunctions"), link.outputs["StateMachineArn"]
    before = states.describe_state_machine(stateMachineArn=arn)["definition"]
    states.update_state_machine(stateMachineArn=arn, definition=json.dumps(_FINISHED))
    try:
        yield
    finally:
        states.update_state_machine(stateMachineArn=arn, definition=before)


def measure(asks: dict[str, Ask], clients: int, requests: int, warm_up: int) -> dict[str, Measured]:
    """Measure in turns, so that a slow machine affects all equally; then with several clients."""
    taken = {name: Measured([], [], 0) for name in asks}
    for turn in range(warm_up + requests):
        for name, ask in asks.items():
            started, worked = time.perf_counter(), time.process_time()
            _assert_status(name, ask())
            if turn >= warm_up:  # after the warm-up
                taken[name].seconds.append(time.perf_counter() - started)
                taken[name].processor.append(time.process_time() - worked)
    return {
        name: replace(
            taken[name],
            per_second=1 / statistics.mean(taken[name].seconds)
            if clients == 1
            else _throughput(name, ask, clients, requests),
        )
        for name, ask in asks.items()
    }


def _throughput(name: str, ask: Ask, clients: int, requests: int) -> float:
    """Return the requests per second with this many clients."""
    each = max(1, requests // clients)

    def one(_: int) -> None:
        for _ in range(each):
            _assert_status(name, ask())

    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(one, range(clients)))  # warm up as many environments
        started = time.perf_counter()
        list(pool.map(one, range(clients)))
    return each * clients / (time.perf_counter() - started)


def _assert_status(name: str, status: int) -> None:
    if status not in (200, 202):
        raise RuntimeError(f"{name} was answered with {status}")


def _over_http(client: Client, video: str, bare_url: str) -> dict[str, Ask]:
    local = threading.local()

    def session() -> requests.Session:
        if not hasattr(local, "session"):
            local.session = requests.Session()
            local.session.headers["X-API-Key"] = str(client.key)
        session: requests.Session = local.session
        return session

    base = client.base_url
    return {
        "bare": lambda: session().get(f"{bare_url}/bare", timeout=60).status_code,
        "get": lambda: session().get(f"{base}/v1/videos/{video}", timeout=60).status_code,
        "create": lambda: session().post(f"{base}/v1/videos", json=WISH, timeout=60).status_code,
    }


def _in_process(video: str) -> dict[str, Ask]:
    from api.handler import handler

    who = {
        "key_id": "bench",
        "user_id": "demo",
        "live": "true",
        "scopes": "",
        "per_minute": "1000000",
        "per_hour": "1000000",
        "max_runs": "1000000",
        "daily_cap_usd": "",
        "monthly_cap_usd": "",
    }
    json_headers = {"Content-Type": "application/json"}

    def ask(method: str, path: str, function: Callable[..., dict[str, object]], **said: str) -> Ask:
        event = event_of(method, path, json_headers, said.get("text"), authorizer=who)

        def once() -> int:
            # A new event each time, as from the gateway.
            answer = quietly(function, json.loads(json.dumps(event)), Context())
            return int(answer["statusCode"])

        return once

    return {
        "bare": ask("GET", "/bare", bare.handler),
        "get": ask("GET", f"/v1/videos/{video}", handler),
        "create": ask("POST", "/v1/videos", handler, text=json.dumps(WISH)),
    }


@contextmanager
def _as_the_function(link: Connection) -> Iterator[None]:
    """Set the environment of the deployed function `api`."""
    environment = {
        **StackAccess(link).environment("api"),
        "AWS_ENDPOINT_URL": link.endpoint,
        "AWS_ACCESS_KEY_ID": link.access_key_id,
        "AWS_SECRET_ACCESS_KEY": link.secret_access_key,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "POWERTOOLS_TRACE_DISABLED": "true",
    }
    with (
        mock.patch.dict(os.environ, environment),
        Path(os.devnull).open("w") as nowhere,
        redirect_stdout(nowhere),  # metrics
    ):
        from api.dependencies import database
        from common.aws.log import logger
        from common.aws.tracing import metrics

        # Powertools reads the environment at import.
        metrics.namespace = environment["POWERTOOLS_METRICS_NAMESPACE"]
        streams = [(handler, handler.setStream(nowhere)) for handler in logger.handlers]  # type: ignore[attr-defined]  # StreamHandlers
        try:
            yield
        finally:
            database().close()
            for handler, stream in streams:
                handler.setStream(stream)  # type: ignore[attr-defined]


def _deploy_bare(link: Connection) -> str:
    """Deploy the empty route with the layers of the function `api`; return its URL."""
    functions, gateway = link.client("lambda"), link.client("apigateway")
    api = next(
        found
        for page in functions.get_paginator("list_functions").paginate()
        for found in page["Functions"]
        if found.get("Environment", {}).get("Variables", {}).get("POWERTOOLS_SERVICE_NAME") == "api"
    )
    name = f"bare-{uuid.uuid4().hex[:8]}"
    arn = functions.create_function(
        FunctionName=name,
        Runtime=api["Runtime"],
        Role=api["Role"],
        Handler="bare.handler",
        Code={"ZipFile": _zip(Path(bare.__file__))},
        Layers=[layer["Arn"] for layer in api.get("Layers", [])],
        MemorySize=api["MemorySize"],
        Timeout=api["Timeout"],
    )["FunctionArn"]
    api = gateway.create_rest_api(name=name)["id"]
    (root,) = gateway.get_resources(restApiId=api)["items"]
    resource = gateway.create_resource(restApiId=api, parentId=root["id"], pathPart="bare")["id"]
    target = {"restApiId": api, "resourceId": resource, "httpMethod": "GET"}
    gateway.put_method(**target, authorizationType="NONE")
    gateway.put_integration(
        **target,
        type="AWS_PROXY",
        integrationHttpMethod="POST",
        uri=f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{arn}/invocations",
    )
    gateway.create_deployment(restApiId=api, stageName="live")
    functions.add_permission(
        FunctionName=name,
        StatementId="gateway",
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
    )
    return local_url(f"https://{api}.execute-api.{REGION}.amazonaws.com/live", link.endpoint)


def _zip(source: Path) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.write(source, source.name)
    return out.getvalue()


def _report(title: str, results: dict[str, Measured]) -> None:
    baseline = results["bare"]
    table(
        f"Requests: {title}",
        ["", "per second", "p50 ms", "p99 ms", "p50 / bare", "p99 / bare", "processor ms here"],
        [
            [
                name,
                f"{one.per_second:.0f}",
                f"{one.p50:.1f}",
                f"{one.p99:.1f}",
                f"{one.p50 / baseline.p50:.2f}",
                f"{one.p99 / baseline.p99:.2f}",
                f"{statistics.median(one.processor) * 1000:.2f}",
            ]
            for name, one in results.items()
        ],
    )
