"""Fixtures of synthesized templates: each stage once per session, on layers built as needed."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from infra import config
from infra.app import synthesize
from infra.operator.checks import Site
from layers import build
from layers.platforms import PLATFORMS
from tests.infra.stubs import StubbedAws
from tests.infra.template import Template

RESTORED = {"snapshot": "rds:video-2026-11-30", "media_bucket": "retained-media"}


@pytest.fixture(scope="session")
def layers() -> Mapping[tuple[str, str], build.Stamp]:
    """The stamps of all layers, by platform and layer."""
    return {
        (platform, layer): build.build(target(), layer)
        for platform, target in PLATFORMS.items()
        for layer in build.LAYERS
    }


@pytest.fixture(scope="session")
def templates(
    layers: Mapping[tuple[str, str], build.Stamp], tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, Template]:
    """The template of every stage."""
    return {
        name: Template(name, synthesize(stage, tmp_path_factory.mktemp("assembly") / name))
        for name, stage in config.STAGES.items()
    }


@pytest.fixture(params=list(config.STAGES))
def template(request: pytest.FixtureRequest, templates: Mapping[str, Template]) -> Template:
    """The template of each stage, by parametrization."""
    return templates[request.param]


@pytest.fixture
def prod(templates: Mapping[str, Template]) -> Template:
    """The template of stage `prod`."""
    return templates["prod"]


@pytest.fixture
def assembly(prod: Template) -> Path:
    """The cloud assembly of stage `prod`."""
    return prod.path.parent


@pytest.fixture(scope="session")
def restored(
    layers: Mapping[tuple[str, str], build.Stamp], tmp_path_factory: pytest.TempPathFactory
) -> Template:
    """The template of stage `prod`, restored from the resources that `make destroy` retained."""
    stage = config.stage("prod", RESTORED)
    return Template("prod", synthesize(stage, tmp_path_factory.mktemp("restored") / "prod"))


@pytest.fixture
def aws() -> Iterator[StubbedAws]:
    """Stubbed clients of an account; the test fails if an expected call is not made."""
    stubbed = StubbedAws()
    yield stubbed
    stubbed.assert_all_called()


@pytest.fixture
def site(aws: StubbedAws) -> Site:
    """Stage `dev` in the stubbed account."""
    return Site(config.stage("dev"), aws, aws.region)
