"""Checks of the machine that deploys."""

import os

from infra import node
from infra.operator.checks import Finding, Site, fail, ok, warn
from layers import build
from layers.platforms import PLATFORMS, interpreter


def cdk(site: Site) -> Finding:
    """Node comes from the lock, and the CDK's command line with it."""
    try:
        node.binary()
    except node.NodeError as error:
        return fail(str(error))
    if not node.is_installed("aws-cdk"):
        return ok("The CDK's command line will be installed from package-lock.json.")
    return ok("Node and the CDK's command line are those of the locks.")


def python(site: Site) -> Finding:
    """The layers' bytecode is made by a Python of the functions' version."""
    target = PLATFORMS[site.stage.layers]()
    if interpreter(target) is None:
        return warn(
            f"There is no Python {target.python} to compile the layers with: cold starts take "
            "almost three times as long.",
            "`make layers` downloads one; run it where the internet can be reached.",
        )
    return ok(f"Python {target.python} compiles the layers.")


def layers(site: Site) -> Finding:
    """Every layer is built from the present lock."""
    stale = [layer for layer in build.LAYERS if not build.is_current(site.stage.layers, layer)]
    if stale:
        return ok(f"To be built by the deployment: the layers {', '.join(stale)}.")
    return ok("All layers are built from the present lock.")


def umask(site: Site) -> Finding:
    """Files made here can be read by the user who made them; the rest is done when packing."""
    mask = os.umask(0o077)
    os.umask(mask)
    if mask & 0o700:
        return fail(
            f"The umask {mask:03o} takes your own files from you.", "`umask 022`, then try again."
        )
    return ok(f"The umask {mask:03o} is fine: assets are made readable when they are packed.")
