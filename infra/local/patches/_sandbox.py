"""What one function process sees: its environment variables, layers and scratch directory."""

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
    """Makes the surroundings of function processes; may be used by several threads."""

    def __init__(self, settings: LauncherSettings, service: Any) -> None:
        """`service` is MiniStack's Lambda module."""
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
        """The directory that this thread's last call of `environment` made, once."""
        scratch: Path | None = getattr(self._local, "scratch", None)
        self._local.scratch = None
        return scratch

    def environment(self, config: dict[str, Any], code: str, port: int) -> dict[str, str]:
        """Exactly what the next process gets; nothing of the host's environment.

        `code` is the directory of the function's code, `port` the Runtime API's.
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
            # Layers hold sources only; without a cache each process would compile them again.
            "PYTHONPYCACHEPREFIX": str(self._bytecode),
            "TMPDIR": "/tmp" if isolate else str(scratch),  # noqa: S108  # of the process alone
            # For infra/local/runtime/bootstrap, which removes them again.
            "_LOCAL_INTERPRETER": self._settings.interpreter,
            "_LOCAL_ISOLATE": "1" if isolate else "",
            "_LOCAL_OPT": str(layers or ""),
            "_LOCAL_TMP": str(scratch),
            "_LOCAL_STATE": self._settings.root,
            "_LOCAL_PREFIX": sys.base_prefix,
        }
