"""A function with one Powertools route that does nothing: what a request costs at the least."""

import json

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response

app = APIGatewayRestResolver()


@app.route("/bare", method=["GET", "POST"])
def bare() -> Response[str]:
    """Answer with a small JSON object."""
    return Response(200, "application/json", json.dumps({"status": "ok"}))


def handler(event: dict[str, object], context: object) -> dict[str, object]:
    """Answer one request."""
    return app.resolve(event, context)  # type: ignore[arg-type]  # what Lambda gives
