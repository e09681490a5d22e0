"""A function with one empty Powertools route, as the baseline of a request."""

import json

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response

app = APIGatewayRestResolver()


@app.route("/bare", method=["GET", "POST"])
def bare() -> Response[str]:
    """Return a small JSON object."""
    return Response(200, "application/json", json.dumps({"status": "ok"}))


def handler(event: dict[str, object], context: object) -> dict[str, object]:
    """Handle a request."""
    return app.resolve(event, context)  # type: ignore[arg-type]  # a LambdaContext
