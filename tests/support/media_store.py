"""The in-memory media store of the tests. It passes the same contract suite as S3."""

from dataclasses import dataclass, field
from pathlib import Path

from common.domain.errors import NotFound


@dataclass
class InMemoryMediaStore:
    """A media store that keeps objects in a dictionary. `error` is raised by every write."""

    objects: dict[str, bytes] = field(default_factory=dict)
    error: BaseException | None = None

    def put(self, key: str, data: bytes, media_type: str) -> None:
        if self.error:
            raise self.error
        self.objects[key] = data

    def put_file(self, key: str, path: Path, media_type: str) -> None:
        self.put(key, path.read_bytes(), media_type)

    def get(self, key: str) -> bytes:
        if key not in self.objects:
            raise NotFound("The media object does not exist.")
        return self.objects[key]

    def get_file(self, key: str, path: Path) -> None:
        path.write_bytes(self.get(key))

    def delete(self, *keys: str) -> None:
        for key in keys:
            self.objects.pop(key, None)

    def link(self, key: str, *, seconds: int, filename: str | None = None) -> str:
        return f"https://media.invalid/{key}"

    def location(self, key: str) -> str:
        return f"s3://media-bucket/{key}"
