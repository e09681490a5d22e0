"""What the routes work with: settings, database, media store and use cases of the warm function."""

from collections.abc import Mapping
from functools import cache

from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEvent

from api.cancellation import Canceling
from api.console import Console
from api.cursors import Cursors
from api.deletion import Deleting
from api.files import Files
from api.library import Library
from api.links import Links
from api.links import address as address_of
from api.listing import Listing
from api.made import Outcomes
from api.parts import Parts
from api.scene_pictures import ScenePictures
from api.uploads import Uploads
from api.videos import Videos
from common import secrets
from common.admission import Admission
from common.database import Database
from common.references import References
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
