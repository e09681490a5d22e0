"""The base of all models that are read or shown at run time."""

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """A model whose validator is built when it is first used.

    A function declares many models, and needs few of them for one event.
    """

    model_config = ConfigDict(defer_build=True)
