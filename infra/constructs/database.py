"""PostgreSQL on RDS, its RDS Proxy, and the migrations that a deployment applies."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aws_cdk import CustomResource, Duration, RemovalPolicy, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from infra.config import Stage
from infra.constructs.function import PipelineFunction
from infra.constructs.nag import acknowledge
from infra.constructs.network import Network
from infra.function_sources import FUNCTIONS
from migrate import privileges
from migrate.privileges import PRIVILEGES

# The major version of the local PostgreSQL, which its wheel determines; RDS also offers later ones.
# RDS upgrades minor versions automatically.
ENGINE = rds.DatabaseInstanceEngine.postgres(version=rds.PostgresEngineVersion.VER_18)
Instance = rds.DatabaseInstance | rds.DatabaseInstanceFromSnapshot
NAME = "video"
USER = "video"

_NOT_ROTATED = (
    "Automatic rotation would add a third-party function to the VPC. The password is generated and "
    "readable by one function's role; `migrate` applies it again after a change."
)


class Database(Construct):
    """An encrypted RDS instance without a public address that accepts only TLS connections."""

    def __init__(
        self, scope: Construct, construct_id: str, *, stage: Stage, network: Network
    ) -> None:
        super().__init__(scope, construct_id)
        self.instance = self._instance(stage, network)
        # A secret for each function's role, which `migrate` creates (functions/migrate/roles.py).
        self.role_secrets = {function: self._role_secret(function) for function in PRIVILEGES}
        self.proxy = self._proxy(network) if stage.proxy else None
        self._tls = stage.database_tls
        self._acknowledge(stage)

    def _instance(self, stage: Stage, network: Network) -> Instance:
        """Create an empty instance, or restore a snapshot; the owner gets a new password."""
        parameters = rds.ParameterGroup(
            self,
            "Parameters",
            engine=ENGINE,
            description="TLS or nothing",
            parameters={"rds.force_ssl": "1"},
        )
        settings: dict[str, Any] = {
            "engine": ENGINE,
            "parameter_group": parameters,
            "instance_type": ec2.InstanceType(stage.database_instance),
            "multi_az": stage.multi_az,
            "max_allocated_storage": stage.database_storage_limit,
            "storage_type": rds.StorageType.GP3,
            "ca_certificate": rds.CaCertificate.RDS_CA_RSA2048_G1,
            "vpc": network.vpc,
            "vpc_subnets": network.database_subnets,
            "security_groups": [network.database],
            "publicly_accessible": False,
            "auto_minor_version_upgrade": True,
            "backup_retention": Duration.days(stage.backup_days),
            "delete_automated_backups": not stage.keep_data,
            "copy_tags_to_snapshot": True,
            "deletion_protection": stage.keep_data,
            "removal_policy": (
                RemovalPolicy.SNAPSHOT if stage.keep_data else RemovalPolicy.DESTROY
            ),
        }
        if not stage.snapshot:
            return rds.DatabaseInstance(
                self,
                "Instance",
                **settings,
                allocated_storage=stage.database_storage,
                storage_encrypted=True,
                database_name=NAME,
                credentials=rds.Credentials.from_generated_secret(USER),
            )
        instance = rds.DatabaseInstanceFromSnapshot(
            self,
            "Instance",
            **settings,
            snapshot_identifier=stage.snapshot,
            credentials=rds.SnapshotCredentials.from_generated_secret(USER),
        )
        resource = instance.node.default_child
        assert isinstance(resource, rds.CfnDBInstance)
        # Defaults to the snapshot's storage, which may have grown; RDS rejects a smaller size.
        resource.add_property_deletion_override("AllocatedStorage")
        acknowledge(
            instance, "RDS2", "A snapshot of an encrypted database restores to an encrypted one."
        )
        return instance

    @property
    def secret(self) -> secretsmanager.ISecret:
        """The secret with the credentials of the database owner, which `migrate` uses."""
        assert self.instance.secret is not None  # the credentials above are generated
        return self.instance.secret

    def environment(self, function: str) -> Mapping[str, str]:
        """Return the settings with which a function connects as its role."""
        host = self.proxy.endpoint if self.proxy else self.instance.db_instance_endpoint_address
        return self._settings(host, self.role_secrets[function])

    def migrate_environment(self) -> Mapping[str, str]:
        """Return the settings of `migrate`: the owner's secret, the instance and all roles."""
        arns = {name: secret.secret_arn for name, secret in self.role_secrets.items()}
        return {
            **self._settings(self.instance.db_instance_endpoint_address, self.secret),
            "DATABASE_ROLE_ARNS": Stack.of(self).to_json_string(arns),
        }

    def _settings(self, host: str, secret: secretsmanager.ISecret) -> Mapping[str, str]:
        return {
            "DATABASE_HOST": host,
            "DATABASE_PORT": self.instance.db_instance_endpoint_port,
            "DATABASE_NAME": NAME,
            "DATABASE_SECRET_ARN": secret.secret_arn,
            "DATABASE_TLS": self._tls,
        }

    def _role_secret(self, function: str) -> secretsmanager.Secret:
        secret = secretsmanager.Secret(
            self,
            f"{function.capitalize()}Role",
            description=f"Database role and password of the function {function}",
            removal_policy=RemovalPolicy.DESTROY,
            generate_secret_string=secretsmanager.SecretStringGenerator(
                secret_string_template=json.dumps({"username": f"{USER}_{function}"}),
                generate_string_key="password",
                password_length=40,
                exclude_punctuation=True,
            ),
        )
        acknowledge(secret, "SMG4", _NOT_ROTATED)
        return secret

    def _proxy(self, network: Network) -> rds.DatabaseProxy:
        assert network.proxy is not None
        return self.instance.add_proxy(
            "Proxy",
            secrets=list(self.role_secrets.values()),
            vpc=network.vpc,
            vpc_subnets=network.database_subnets,
            security_groups=[network.proxy],
            require_tls=True,
            client_password_auth_type=rds.ClientPasswordAuthType.POSTGRES_SCRAM_SHA_256,
            # Shorter than the shortest timeout of a function that borrows a connection.
            borrow_timeout=Duration.seconds(8),
            max_connections_percent=90,  # leaves the rest to migrations and operators
        )

    def _acknowledge(self, stage: Stage) -> None:
        acknowledge(
            self.instance,
            "RDS11",
            "The port is open to two security groups only; another port would not add security.",
        )
        acknowledge(self.instance.node.find_child("Secret"), "SMG4", _NOT_ROTATED)
        if not stage.multi_az:
            acknowledge(
                self.instance, "RDS3", f"Stage {stage.name} does not need high availability."
            )
        if not stage.keep_data:
            acknowledge(
                self.instance, "RDS10", f"Stage {stage.name} is meant to be deleted with its data."
            )


def migrations(
    scope: Construct,
    *,
    stage: Stage,
    migrate: PipelineFunction,
    network: Network,
    database: Database,
) -> CustomResource:
    """Create the custom resource that applies migrations on deployment.

    It is updated when a migration or privilege changes and when a snapshot is restored.
    CloudFormation invokes the function and waits for its response, so a failed migration fails the
    deployment with its message before any other function gets new code.
    """
    resource = CustomResource(
        scope,
        "Migrations",
        resource_type="Custom::DatabaseMigrations",
        service_token=migrate.function.function_arn,
        service_timeout=Duration.minutes(15),
        properties={
            "Digest": _digest(),
            # A snapshot may have an older schema and other passwords of the roles.
            **({"Snapshot": stage.snapshot} if stage.snapshot else {}),
        },
    )
    # The function needs the route to Secrets Manager and the security group rules.
    resource.node.add_dependency(network, database)
    return resource


def _digest() -> str:
    """Return the SHA-256 of all migrations and privileges."""
    digest = hashlib.sha256()
    versions = FUNCTIONS / "migrate" / "versions"
    for path in [*sorted(versions.glob("*.sql")), Path(privileges.__file__)]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()
