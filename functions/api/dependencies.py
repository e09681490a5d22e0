"""What the routes work with: settings, database, media store and use cases of the warm function."""

from collections.abc import Mapping
from functools import cache

from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEvent

from api.http.cursors import Cursors
from api.presenters.console import Console
from api.presenters.steps import Outcomes
from api.services.cancellation import Canceling
from api.services.deletion import Deleting
from api.services.files import Files
from api.services.links import Links
from api.services.links import address as address_of
from api.services.listing import Listing
from api.services.media import Library
from api.services.scene_images import ScenePictures
from api.services.steps import Parts
from api.services.uploads import Uploads
from api.services.videos import Videos
from common.application.admission import Admission
from common.application.image_inputs import References
from common.aws import secrets
from common.database import Database
from common.settings import ApiSettings, load
from common.storage.s3 import S3MediaStore


@cache
def settings() -> ApiSettings:
    """The function's settings, checked once."""
    return load(ApiSettings)


@cache
def database() -> Database:
    """The warm environment's connection."""
    return Database(settings())


@cache
def store() -> S3MediaStore:
    """The media store."""
    return S3MediaStore(settings().media_bucket)


@cache
def admission() -> Admission:
    """The way in for new videos."""
    return Admission(settings(), database(), store())


@cache
def canceling() -> Canceling:
    """The use case of canceling."""
    return Canceling(settings(), database(), videos())


@cache
def videos() -> Videos:
    """The use cases of videos."""
    return Videos(admission(), database(), links(), console())


def address(event: APIGatewayProxyEvent) -> str:
    """Return the API's own address, as the client of this request wrote it."""
    return address_of(event, "http" if settings().stage == "local" else "https")


@cache
def deleting() -> Deleting:
    """The use case of deleting."""
    return Deleting(database(), store())


@cache
def listing() -> Listing:
    """The use cases of lists."""
    return Listing(database(), console(), Cursors(_secret))


@cache
def console() -> Console:
    """Where runs and traces are seen; nowhere on one machine."""
    return Console(None if settings().stage == "local" else settings().state_machine_arn)


@cache
def parts() -> Parts:
    """The use cases of the parts of a video."""
    pictures = ScenePictures(database(), store(), references())
    return Parts(admission(), database(), store(), references(), pictures)


@cache
def outcomes() -> Outcomes:
    """The answers to requests for parts."""
    return Outcomes(database(), links())


@cache
def links() -> Links:
    """Links to media."""
    return Links(database(), store(), _secret)


def _secret() -> Mapping[str, str]:
    """The stack's secret, of which signing keys are derived."""
    return secrets.read(settings().keys_secret_arn)


@cache
def library() -> Library:
    """The use cases of media."""
    return Library(database(), store(), links())


@cache
def uploads() -> Uploads:
    """The use cases of uploads."""
    return Uploads(database(), store())


@cache
def files() -> Files:
    """The use cases of the first version's endpoints for files."""
    return Files(database(), store(), links(), uploads(), settings().media_bucket)


@cache
def references() -> References:
    """Pictures, however they are named."""
    return References(database(), store(), settings().media_bucket)
