"""The API reference: Swagger UI over `openapi.json`, in one HTML page.

Scripts and styles are part of the page, so it needs no other host, and its Content-Security-Policy
names them by their hashes. Requests that a reader tries go to the API that serves the page.
"""

import base64
import hashlib
from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).parent / "swagger_ui"
_START = """
window.addEventListener("load", () => SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  displayRequestDuration: true,
  tryItOutEnabled: true,
  persistAuthorization: false,
  validatorUrl: null,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
}));
"""
_LAYOUT = "body { margin: 0; } .topbar { display: none; }"
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>AI Video Generator API</title>
<style>{styles}</style>
</head>
<body>
<div id="swagger-ui"></div>
<script>{library}</script>
<script>{start}</script>
</body>
</html>
"""


@cache
def page() -> str:
    """Return the HTML page."""
    return _PAGE.format(styles=_styles(), library=_library(), start=_START)


@cache
def policy() -> str:
    """Return the Content-Security-Policy of the page."""
    scripts = " ".join(_hash(text) for text in (_library(), _START))
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src {scripts}",
            f"style-src {_hash(_styles())}",
            "img-src data:",  # icons in the style sheet
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ]
    )


@cache
def _library() -> str:
    return (_FOLDER / "swagger-ui-bundle.js").read_text(encoding="utf-8")


@cache
def _styles() -> str:
    return (_FOLDER / "swagger-ui.css").read_text(encoding="utf-8") + _LAYOUT


def _hash(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"
