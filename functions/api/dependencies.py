"""What the routes work with: settings, database, media store and use cases of the warm function."""

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
    """The use cases of videos."""
    return VideoService(admission(), database(), links(), console())


def address(event: APIGatewayProxyEvent) -> str:
    """Return the API's own address, as the client of this request wrote it."""
    return address_of(event, "http" if settings().stage == "local" else "https")


@warm
def deletion() -> DeletionService:
    """The use case of deleting."""
    return DeletionService(database(), store())


@warm
def listing() -> ListingService:
    """The use cases of lists."""
    return ListingService(database(), console(), Cursors(_secret))


@warm
def console() -> Console:
    """Where runs and traces are seen; nowhere on one machine."""
    return Console(None if settings().stage == "local" else settings().state_machine_arn)


@warm
def steps() -> StepService:
    """The use cases of the parts of a video."""
    pictures = SceneImages(database(), store(), image_inputs())
    return StepService(admission(), database(), store(), image_inputs(), pictures)


@warm
def step_results() -> StepResults:
    """The answers to requests for parts."""
    return StepResults(database(), links())


@warm
def links() -> LinkService:
    """Links to media."""
    return LinkService(database(), store(), _secret)


def _secret() -> Mapping[str, str]:
    """The stack's secret, of which signing keys are derived."""
    return secrets.read(settings().keys_secret_arn)


@warm
def media() -> MediaService:
    """The use cases of media."""
    return MediaService(database(), store(), links())


@warm
def uploads() -> UploadService:
    """The use cases of uploads."""
    return UploadService(database(), store())


@warm
def files() -> FileService:
    """The use cases of the first version's endpoints for files."""
    return FileService(database(), store(), links(), uploads(), settings().media_bucket)


@warm
def image_inputs() -> ImageInputs:
    """Pictures, however they are named."""
    return ImageInputs(database(), store(), settings().media_bucket)
