"""Environment variables, layers and scratch directory of function processes."""

import os
import shutil
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from infra.local.launcher_settings import REGION, LauncherSettings
from infra.local.patches import _ministack
from infra.local.patches._layer_store import LayerStore


class Sandbox:
    """A thread-safe factory of environments for function processes."""

    def __init__(self, settings: LauncherSettings, service: Any) -> None:
        """Prepare the directories; `service` is MiniStack's Lambda module."""
        self._settings = settings
        self._service = service
        root = Path(settings.root)
        self._layers = LayerStore(root / "layers", service)
        self._scratch = root / "scratch"
        shutil.rmtree(self._scratch, ignore_errors=True)  # of an earlier run
        self._scratch.mkdir()
        self._bytecode = root / "bytecode"
        self._local = threading.local()

    def latest_scratch(self) -> Path | None:
        """Return, and forget, the directory that this thread's last `environment` call created."""
        scratch: Path | None = getattr(self._local, "scratch", None)
        self._local.scratch = None
        return scratch

    def environment(self, config: dict[str, Any], code: str, port: int) -> dict[str, str]:
        """Return the complete environment of the next process, without the host's variables.

        `code` is the directory of the function's code, `port` the port of the Runtime API.
        """
        scratch = self._local.scratch = Path(tempfile.mkdtemp(dir=self._scratch))
        scratch.chmod(0o777)
        layers = self._layers.merged([layer["Arn"] for layer in config.get("Layers", [])])
        isolate = self._settings.isolate
        opt = "/opt" if isolate or layers is None else str(layers)
        name = config["FunctionName"]
        group = (config.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{name}"
        return {
            **self._service._runtime_env_vars(config),
            **_ministack.module("core.lambda_runtime").execution_credentials(config),
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}",
            "AWS_ENDPOINT_URL": os.environ["AWS_ENDPOINT_URL"],
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{config['Runtime']}",
            "AWS_LAMBDA_FUNCTION_NAME": name,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(config.get("MemorySize", 128)),
            "AWS_LAMBDA_FUNCTION_VERSION": config.get("Version", "$LATEST"),
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": group,
            "AWS_LAMBDA_LOG_STREAM_NAME": scratch.name,
            "LAMBDA_TASK_ROOT": code,
            "LAMBDA_RUNTIME_DIR": self._settings.runtime,
            "_HANDLER": config["Handler"],
            "PATH": f"{opt}/bin:/usr/local/bin:/usr/bin:/bin",
            "LD_LIBRARY_PATH": f"{opt}/lib",
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "PYTHONPATH": os.pathsep.join([code, f"{opt}/python", self._settings.runtime]),
            # Local layers have no bytecode; without a cache each process would compile them again.
            "PYTHONPYCACHEPREFIX": str(self._bytecode),
            "TMPDIR": "/tmp" if isolate else str(scratch),  # noqa: S108  # private to the process
            # For infra/local/runtime/bootstrap, which unsets them.
            "_LOCAL_INTERPRETER": self._settings.interpreter,
            "_LOCAL_ISOLATE": "1" if isolate else "",
            "_LOCAL_OPT": str(layers or ""),
            "_LOCAL_TMP": str(scratch),
            "_LOCAL_STATE": self._settings.root,
            "_LOCAL_PREFIX": sys.base_prefix,
        }
