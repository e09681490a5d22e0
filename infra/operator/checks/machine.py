"""Checks of the machine that runs the deployment."""

import os

from infra import node
from infra.operator.checks import Finding, Site, fail, ok, warn
from layers import build
from layers.platforms import PLATFORMS, interpreter


def cdk(site: Site) -> Finding:
    """Check that Node.js and the CDK CLI are installed in their locked versions."""
    try:
        node.binary()
    except node.NodeError as error:
        return fail(str(error))
    if not node.is_installed("aws-cdk"):
        return ok("The deployment will install the CDK CLI from package-lock.json.")
    return ok("Node.js and the CDK CLI have their locked versions.")


def python(site: Site) -> Finding:
    """Check that a Python of the functions' version can compile the layers."""
    target = PLATFORMS[site.stage.layers]()
    if interpreter(target) is None:
        return warn(
            f"Python {target.python} is not installed, so the layers cannot be compiled: cold "
            "starts take almost three times as long.",
            "Run `make layers`, which downloads it, with Internet access.",
        )
    return ok(f"Python {target.python} is available to compile the layers.")


def layers(site: Site) -> Finding:
    """Check that every layer is built from the current lock file."""
    stale = [layer for layer in build.LAYERS if not build.is_current(site.stage.layers, layer)]
    if stale:
        return ok(f"The deployment will build the layers {', '.join(stale)}.")
    return ok("All layers are built from the current lock file.")


def umask(site: Site) -> Finding:
    """Check that new files are readable by their owner; packing adjusts all other permissions."""
    mask = os.umask(0o077)
    os.umask(mask)
    if mask & 0o700:
        return fail(
            f"The umask {mask:03o} makes new files inaccessible to their owner.",
            "Run `umask 022`, then try again.",
        )
    return ok(f"The umask is {mask:03o}. Assets are made readable when they are packed.")
