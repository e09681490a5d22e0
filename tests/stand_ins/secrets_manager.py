"""A stand-in for AWS Secrets Manager that serves GetSecretValue over HTTP on loopback."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


@dataclass
class SecretsManager:
    """The secrets and the requested ids. The next `fail_next` responses are 503."""

    url: str = ""
    secrets: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    fail_next: int = 0


@contextmanager
def serve() -> Iterator[SecretsManager]:
    """Serve on a free port within the context."""
    state = SecretsManager()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            state.asked.append(body["SecretId"])
            signed = self.headers.get("Authorization", "").startswith("AWS4-HMAC-SHA256 ")
            if state.fail_next:
                state.fail_next -= 1
                self._answer(503, {"__type": "InternalServiceError"})
            elif self.headers.get("X-Amz-Target") != "secretsmanager.GetSecretValue" or not signed:
                self._answer(400, {"__type": "UnrecognizedClientException"})
            elif body["SecretId"] not in state.secrets:
                self._answer(400, {"__type": "ResourceNotFoundException"})
            else:
                text = json.dumps(state.secrets[body["SecretId"]])
                self._answer(200, {"ARN": body["SecretId"], "SecretString": text})

        def _answer(self, status: int, answer: dict[str, str]) -> None:
            payload = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        def log_message(self, *_: object) -> None:
            """Disable logging."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
