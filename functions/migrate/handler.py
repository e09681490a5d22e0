"""Lambda function `migrate`: the custom resource `DatabaseMigrations`.

It updates the schema and the roles. CloudFormation invokes it on create and on every change of the
migrations or privileges, and waits for a response that is PUT to a presigned URL. A failed
migration fails the deployment with its message. An operator invokes it with an empty event after
changing the password in a role's secret.
"""

from typing import Any

import urllib3
from aws_lambda_powertools.utilities.typing import LambdaContext

from common.aws.log import logger
from common.settings import MigrateSettings, load
from migrate import migrations, roles

_PHYSICAL_ID = "database-migrations"


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, str]:
    """Migrate on Create and Update, but not on Delete: the stage's removal policy decides then."""
    if "RequestType" not in event:
        return _migrate()
    status, reason, data = "SUCCESS", "The schema is up to date.", {}
    if event["RequestType"] != "Delete":
        try:
            data = _migrate()
        except Exception as error:
            logger.exception("migration failed")
            status, reason = "FAILED", _reason(error)
    _respond(event, status, reason, data)
    return data


def _migrate() -> dict[str, str]:
    settings = load(MigrateSettings)
    applied = migrations.apply(settings)
    roles.apply(settings)
    return {"Applied": str(applied)}


def _reason(error: Exception) -> str:
    """Return the error for CloudFormation, with a hint if the function cannot reach AWS."""
    reason = f"{type(error).__name__}: {error}"[:1000]
    if isinstance(error.__cause__, urllib3.exceptions.HTTPError):
        reason += (
            " The function cannot reach AWS from its VPC. Check the stack's NAT instance or NAT "
            "gateway, and the routes of the Functions subnets."
        )
    return reason


def _respond(event: dict[str, Any], status: str, reason: str, data: dict[str, str]) -> None:
    """Send the response to CloudFormation, whose presigned URL requires an empty content type."""
    urllib3.PoolManager(
        retries=urllib3.Retry(total=5, allowed_methods=None, backoff_factor=1)
    ).request(
        "PUT",
        event["ResponseURL"],
        json={
            "Status": status,
            "Reason": reason,
            "PhysicalResourceId": _PHYSICAL_ID,
            "StackId": event["StackId"],
            "RequestId": event["RequestId"],
            "LogicalResourceId": event["LogicalResourceId"],
            "Data": data,
        },
        headers={"Content-Type": ""},
    )
