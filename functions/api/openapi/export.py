"""Print the OpenAPI document; `make openapi` writes it to docs/openapi.json."""

from api.handler import documented_application
from api.openapi.document import text

if __name__ == "__main__":
    print(text(documented_application()))  # noqa: T201 - the document is this command's output
