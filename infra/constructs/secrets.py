"""The secrets of operators and providers. Database credentials are in infra.constructs.database."""

import json

from aws_cdk import RemovalPolicy
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from infra.config import Stage
from infra.constructs.nag import acknowledge


class Secrets(Construct):
    """`keys`, from which the operator's API key is derived, and `providers`, with vendors' keys."""

    def __init__(self, scope: Construct, construct_id: str, *, stage: Stage) -> None:
        super().__init__(scope, construct_id)
        # Retained with the data, because the values cannot be recreated, unlike database passwords.
        retain = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE
        policy = retain if stage.keep_data else RemovalPolicy.DESTROY
        self.keys = secretsmanager.Secret(
            self,
            "Keys",
            description=f"{stage.stack_name}: the operator's API key is derived from SECRET_KEY",
            removal_policy=policy,
            generate_secret_string=secretsmanager.SecretStringGenerator(
                secret_string_template=json.dumps({}),
                generate_string_key="SECRET_KEY",
                password_length=64,
                exclude_punctuation=True,
            ),
        )
        # Written once, empty. A change to this template would make CloudFormation overwrite the
        # keys that operators have stored since.
        self.providers = secretsmanager.Secret(
            self,
            "Providers",
            description=f"{stage.stack_name}: API keys of the providers; empty until put",
            removal_policy=policy,
            generate_secret_string=secretsmanager.SecretStringGenerator(
                secret_string_template=json.dumps({"OPENAI_API_KEY": "", "RUNWAY_API_KEY": ""}),
                generate_string_key="UNUSED",
            ),
        )
        acknowledge(
            self.keys, "SMG4", "Rotation revokes the operator's key, so operators do it manually."
        )
        acknowledge(self.providers, "SMG4", "Vendors issue and rotate these keys.")
