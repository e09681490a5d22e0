"""The secrets that people and the application share. The database has its own."""

import json

from aws_cdk import RemovalPolicy
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from infra.config import Stage
from infra.constructs.nag import acknowledge


class Secrets(Construct):
    """`keys`: the generated secret behind the operator's API key. `providers`: vendors' keys."""

    def __init__(self, scope: Construct, construct_id: str, *, stage: Stage) -> None:
        super().__init__(scope, construct_id)
        # Kept with the data: nobody can make their values again. Passwords of the database can be.
        kept = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE
        policy = kept if stage.keep_data else RemovalPolicy.DESTROY
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
        # Written once, empty. A change of this text would make CloudFormation write it again,
        # over the keys that a person has put there since.
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
            self.keys, "SMG4", "Rotating it revokes the operator's key; done by hand, when wanted."
        )
        acknowledge(self.providers, "SMG4", "The keys are the vendors' to issue and to rotate.")
