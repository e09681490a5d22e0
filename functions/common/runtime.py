"""The composition root: what a function works with, built once while it is warm.

Handlers get everything from `services`. Tests call `provide` to pass a media store of their own,
and `reset` to start cold.
"""

from collections.abc import Callable
from functools import cached_property, wraps
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from common.database import Database
from common.settings import DatabaseSettings, StorageSettings, load

if TYPE_CHECKING:
    from common.storage.s3 import S3MediaStore

S = TypeVar("S", bound=DatabaseSettings)
T = TypeVar("T")


class Services(Generic[S]):
    """Settings, database and media store of a function; the latter two are built on first use."""

    def __init__(self, settings: S, *, database: Database | None = None, store: Any = None) -> None:
        self.settings = settings
        self._database, self._store = database, store

    @cached_property
    def database(self) -> Database:
        """The connection of the warm function."""
        return self._database or Database(self.settings)

    @cached_property
    def store(self) -> "S3MediaStore":
        """The media store."""
        # Imported late: the authorizer, which every request waits for, uses no S3.
        from common.storage.s3 import S3MediaStore

        assert isinstance(self.settings, StorageSettings)
        return self._store or S3MediaStore(self.settings.media_bucket)


_services: dict[type[Any], Services[Any]] = {}
_built: dict[Callable[[], Any], Any] = {}


def services(settings: type[S]) -> Services[S]:
    """Return the services of the function with these settings, built at the first call."""
    if settings not in _services:
        _services[settings] = Services(load(settings))
    return _services[settings]


def warm(build: Callable[[], T]) -> Callable[[], T]:
    """Call `build` once while the function is warm, and return its result from then on."""

    @wraps(build)
    def built() -> T:
        if build not in _built:
            _built[build] = build()
        result: T = _built[build]
        return result

    return built


def provide(
    settings: type[S], *, database: Database | None = None, store: Any = None
) -> Services[S]:
    """Build the services from the current environment and the arguments; for tests."""
    _services[settings] = Services(load(settings), database=database, store=store)
    return _services[settings]


def reset() -> None:
    """Close the connections and forget everything that was built; for tests."""
    for known in _services.values():
        if "database" in vars(known):
            known.database.close()
    _services.clear()
    _built.clear()
