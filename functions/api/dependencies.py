"""The services of the API, built once while the function is warm."""

from collections.abc import Mapping

from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEvent

from api.http.cursors import Cursors
from api.presenters.console import Console
from api.presenters.steps import StepResults
from api.services.cancellation import CancellationService
from api.services.deletion import DeletionService
from api.services.files import FileService
from api.services.links import LinkService
from api.services.links import address as address_of
from api.services.listing import ListingService
from api.services.media import MediaService
from api.services.scene_images import SceneImages
from api.services.steps import StepService
from api.services.uploads import UploadService
from api.services.videos import VideoService
from common.application.admission import Admission
from common.application.image_inputs import ImageInputs
from common.aws import secrets
from common.database import Database
from common.runtime import services, warm
from common.settings import ApiSettings
from common.storage.s3 import S3MediaStore


def settings() -> ApiSettings:
    """Return the function's settings."""
    return services(ApiSettings).settings


def database() -> Database:
    """Return the connection of the warm function."""
    return services(ApiSettings).database


def store() -> S3MediaStore:
    """Return the media store."""
    return services(ApiSettings).store


@warm
def admission() -> Admission:
    """The way in for new videos."""
    return Admission(settings(), database(), store())


@warm
def cancellation() -> CancellationService:
    """The use case of canceling."""
    return CancellationService(settings(), database(), videos())


@warm
def videos() -> VideoService:
    """Return the service of videos."""
    return VideoService(admission(), database(), links(), console())


def address(event: APIGatewayProxyEvent) -> str:
    """Return the base URL of the API as the client addressed it."""
    return address_of(event, "http" if settings().stage == "local" else "https")


@warm
def deletion() -> DeletionService:
    """Return the service that deletes videos."""
    return DeletionService(database(), store())


@warm
def listing() -> ListingService:
    """Return the service of lists."""
    return ListingService(database(), console(), Cursors(_secret))


@warm
def console() -> Console:
    """Return links into the AWS console; there are none on one machine."""
    return Console(None if settings().stage == "local" else settings().state_machine_arn)


@warm
def steps() -> StepService:
    """Return the service of single steps."""
    scene_images = SceneImages(database(), store(), image_inputs())
    return StepService(admission(), database(), store(), image_inputs(), scene_images)


@warm
def step_results() -> StepResults:
    """Return the presenter of step results."""
    return StepResults(database(), links())


@warm
def links() -> LinkService:
    """Return the service of signed links."""
    return LinkService(database(), store(), _secret)


def _secret() -> Mapping[str, str]:
    """Return the stack's secret, from which signing keys are derived."""
    return secrets.read(settings().keys_secret_arn)


@warm
def media() -> MediaService:
    """Return the service of the media library."""
    return MediaService(database(), store(), links())


@warm
def uploads() -> UploadService:
    """Return the service of uploads."""
    return UploadService(database(), store())


@warm
def files() -> FileService:
    """Return the service of files of the legacy API."""
    return FileService(database(), store(), links(), uploads(), settings().media_bucket)


@warm
def image_inputs() -> ImageInputs:
    """Return the resolver of input images."""
    return ImageInputs(database(), store(), settings().media_bucket)
