"""The whole system. This file only wires; the constructs make the resources."""

from collections.abc import Mapping, Sequence

from aws_cdk import Aws, CfnOutput, Stack, Tags
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from infra.config import Stage
from infra.constructs import nat
from infra.constructs.api import Api
from infra.constructs.budget import COST_TAG
from infra.constructs.database import Database, migrations
from infra.constructs.function import PipelineFunction, SharedResources
from infra.constructs.grants import Grant, allow
from infra.constructs.inbox import RECEIVES, Inbox
from infra.constructs.layers import Layers
from infra.constructs.monitoring import Monitoring
from infra.constructs.network import Network
from infra.constructs.pipeline import Pipeline
from infra.constructs.secrets import Secrets
from infra.constructs.storage import Storage
from infra.constructs.triggers import Triggers

_ARRIVALS = "_uploads/*"
_UPLOADS, _IMAGES = "*/user-uploads/*", "*/reference-frames/*"
_CLIPS, _PROVENANCE, _RECEIPTS = "*/video-clips/*", "*/provenance/*", "*/receipts/*"
_NARRATIONS = "*/narrations/*"
_OF_A_VIDEO = (_UPLOADS, _IMAGES, _CLIPS, _PROVENANCE, _RECEIPTS, _NARRATIONS)


class VideoStack(Stack):
    """A client's request in, a finished video in the bucket out."""

    def __init__(self, scope: Construct, stage: Stage) -> None:
        super().__init__(
            scope,
            stage.stack_name,
            description="AI video generator: a prompt becomes a finished video",
        )
        self.stage = stage
        self.network = Network(self, "Network", stage=stage)
        self.storage = Storage(self, "Storage", stage=stage)
        self.inbox = Inbox(self, "Inbox", bucket=self.storage.bucket)
        self.secrets = Secrets(self, "Secrets", stage=stage)
        self.database = Database(self, "Database", stage=stage, network=self.network)
        self.surroundings = SharedResources(
            stage=stage, network=self.network, layers=Layers(self, "Layers", stage=stage)
        )
        self.functions: dict[str, PipelineFunction] = {}
        self._steps()
        self.pipeline = Pipeline(
            self,
            "Pipeline",
            stage=stage,
            functions={folder: made.function for folder, made in self.functions.items()},
        )
        self._entrances()
        self._migrate_first()
        self.api = Api(
            self,
            "Api",
            stage=stage,
            authorizer=self.functions["authorizer"].function,
            handler=self.functions["api"].function,
        )
        sweeper = self.functions["sweeper"].function
        Triggers(
            self,
            "Triggers",
            sweeper=sweeper,
            register=self.functions["register"].function,
            bucket=self.storage.bucket,
            pipeline=self.pipeline,
        )
        self.inbox.feed(self.functions["intake"].function)
        self.monitoring = Monitoring(
            self,
            "Monitoring",
            stage=stage,
            state_machine=self.pipeline.state_machine,
            api=self.api.rest_api,
            sweeper=sweeper,
            register=self.functions["register"].function,
            database=self.database.instance,
            aside=self.inbox.aside,
        )
        if self.network.nat is not None:
            nat.watch(self.network.nat, self.monitoring.topic)
        self._outputs()
        self._cost_tags()

    def _steps(self) -> None:
        """Make the functions that states of the pipeline run."""
        storage, providers = self.storage, self._providers()
        keys = _may_read(self.secrets.providers)
        self._function(
            "story", providers, [keys, storage.may_get(_RECEIPTS), storage.may_put(_RECEIPTS)]
        )
        self._function(
            "image",
            providers,
            [
                keys,
                storage.may_get(_UPLOADS, _IMAGES, _RECEIPTS),
                storage.may_put(_IMAGES, _RECEIPTS),
            ],
        )
        self._function(
            "speech",
            providers,
            [
                keys,
                storage.may_get(_RECEIPTS),
                storage.may_put(_NARRATIONS, _RECEIPTS),
            ],
            speech=True,
        )
        self._function(
            "clip",
            providers,
            [
                keys,
                storage.may_get(_UPLOADS, _IMAGES, _CLIPS, _RECEIPTS),
                storage.may_put(_CLIPS, in_parts=True),
                storage.may_put(_RECEIPTS),
                *_may_animate_on_bedrock(),
            ],
            ffmpeg=True,
        )
        self._function(
            "merge",
            self._media(),
            [
                storage.may_get(_UPLOADS, _IMAGES, _NARRATIONS, _CLIPS),
                storage.may_put(_CLIPS, in_parts=True),
            ],
            ffmpeg=True,
        )
        self._function(
            "finish", self._media(), [storage.may_put(_PROVENANCE), storage.may_answer()]
        )

    def _entrances(self) -> None:
        """Make the functions that requests, rules and deployments run."""
        storage, pipeline = self.storage, self.pipeline
        clip, origins = self.functions["clip"].function, self.stage.cors_origins
        keys = {
            "KEYS_SECRET_ARN": self.secrets.keys.secret_arn,
            "OPERATOR_USER_ID": self.stage.operator_user_id,
        }
        machine = {"STATE_MACHINE_ARN": pipeline.state_machine.state_machine_arn}
        self._function("authorizer", keys, [_may_read(self.secrets.keys)])
        self._function(
            "api",
            {
                **machine,
                **self._providers(),
                "DAILY_CAP_USD": self.stage.daily_cap_usd,
                "KEYS_SECRET_ARN": self.secrets.keys.secret_arn,
                "CLIP_FUNCTION_NAME": clip.function_name,
                **({"CORS_ORIGINS": ",".join(origins)} if origins else {}),
            },
            [
                # Which providers can be used depends on which keys are set.
                _may_read(self.secrets.providers),
                # What the keys that sign its links to media are derived from.
                _may_read(self.secrets.keys),
                # For the links that it signs: a link can do what its signer can.
                storage.may_get(_CLIPS, _IMAGES, _NARRATIONS, _UPLOADS),
                storage.may_put(_UPLOADS),
                # For the forms and links by which clients send files.
                storage.may_put(_ARRIVALS, in_parts=True),
                storage.may_find_versions(),
                storage.may_erase(*_OF_A_VIDEO, together=True),
                pipeline.may_start(),
                pipeline.may_stop(),
                allow(["lambda:InvokeFunction"], [clip.function_arn]),
            ],
        )
        self._function(
            "intake",
            {
                **machine,
                **self._providers(),
                "DAILY_CAP_USD": self.stage.daily_cap_usd,
                "INBOX_RECEIVES": str(RECEIVES),
            },
            [
                _may_read(self.secrets.providers),
                self.inbox.may_receive(),
                storage.may_take(),
                storage.may_find_beside(),
                storage.may_get(_IMAGES, _UPLOADS),
                storage.may_put(_UPLOADS),
                storage.may_answer(),
                pipeline.may_start(),
            ],
        )
        self._function(
            "register",
            self._media(),
            [
                storage.may_get(_ARRIVALS),
                storage.may_erase(_ARRIVALS),
                storage.may_put(_UPLOADS, in_parts=True),
            ],
            ffmpeg=True,
        )
        self._function(
            "sweeper",
            {**machine, **self._media(), "CLIP_FUNCTION_NAME": clip.function_name},
            [
                pipeline.may_start(),
                pipeline.may_describe(),
                # For clips that ended runs left behind at their provider.
                allow(["lambda:InvokeFunction"], [clip.function_arn]),
                # What a late worker left of a video that was deleted.
                storage.may_find_versions(),
                storage.may_erase(*_OF_A_VIDEO, together=True),
                storage.may_answer(),
            ],
        )

    def _function(
        self,
        folder: str,
        settings: Mapping[str, str],
        may: Sequence[Grant],
        *,
        ffmpeg: bool = False,
        speech: bool = False,
    ) -> None:
        """Make the function of a folder; every one of them queries the database as its role."""
        self.functions[folder] = PipelineFunction(
            self,
            folder,
            surroundings=self.surroundings,
            environment={**self.database.environment(folder), **settings},
            may=[
                _may_read(self.database.role_secrets[folder]),
                *may,
                self.storage.inbox_is_closed(),
            ],
            ffmpeg=ffmpeg,
            speech=speech,
        )

    def _migrate_first(self) -> None:
        """Apply migrations before any function gets code that needs them."""
        migrate = PipelineFunction(
            self,
            "migrate",
            surroundings=self.surroundings,
            environment=self.database.migrate_environment(),
            may=[
                _may_read(self.database.secret, *self.database.role_secrets.values()),
                self.storage.inbox_is_closed(),
            ],
            group=self.network.migrate,
        )
        applied = migrations(
            self,
            stage=self.stage,
            migrate=migrate,
            network=self.network,
            database=self.database,
        )
        for made in self.functions.values():
            made.function.node.add_dependency(applied)
        for function in (migrate, *self.functions.values()):
            self.network.delete_before(function.role)

    def _media(self) -> dict[str, str]:
        return {"MEDIA_BUCKET": self.storage.bucket.bucket_name}

    def _providers(self) -> dict[str, str]:
        stage = self.stage
        optional = {
            "OPENAI_BASE_URL": stage.openai_base_url,
            "RUNWAY_BASE_URL": stage.runway_base_url,
            "PROVIDER_LIMITS": stage.provider_limits,
        }
        return {
            **self._media(),
            "TEXT_PROVIDER": stage.text_provider,
            "IMAGE_PROVIDER": stage.image_provider,
            "VIDEO_PROVIDER": stage.video_provider,
            "SPEECH_PROVIDER": stage.speech_provider,
            "PROVIDERS_SECRET_ARN": self.secrets.providers.secret_arn,
            **{name: value for name, value in optional.items() if value},
        }

    def _cost_tags(self) -> None:
        """Tag everything that can cost money; `component` is set where a part is made."""
        tags = {
            "project": "ai-video-generator",
            "stage": self.stage.name,
            COST_TAG: self.stage.stack_name,
        }
        # CloudFormation takes no tags on this one, although the CDK offers them.
        untaggable = ["AWS::RDS::DBProxyTargetGroup"]
        for key, value in tags.items():
            Tags.of(self).add(key, value, exclude_resource_types=untaggable)

    def _outputs(self) -> None:
        outputs = {
            "ApiUrl": self.api.rest_api.url,
            "MediaBucketName": self.storage.bucket.bucket_name,
            "KeysSecretArn": self.secrets.keys.secret_arn,
            "ProvidersSecretArn": self.secrets.providers.secret_arn,
            "StateMachineArn": self.pipeline.state_machine.state_machine_arn,
            "DatabaseEndpoint": self.database.instance.db_instance_endpoint_address,
            "SweeperFunctionName": self.functions["sweeper"].function.function_name,
            "OperatorUserId": self.stage.operator_user_id,
            "AlarmTopicArn": self.monitoring.topic.topic_arn,
        }
        for name, value in outputs.items():
            CfnOutput(self, name, value=value)


def _may_animate_on_bedrock() -> list[Grant]:
    """Luma's model, in the regions that offer it; the result goes into the media bucket."""
    bedrock = f"arn:{Aws.PARTITION}:bedrock:{Aws.REGION}"
    finding = "arn:<AWS::Partition>:bedrock:<AWS::Region>:<AWS::AccountId>:async-invoke/*"
    return [
        allow(["bedrock:InvokeModel"], [f"{bedrock}::foundation-model/luma.ray-v2:0"]),
        allow(
            ["bedrock:GetAsyncInvoke"],
            [f"{bedrock}:{Aws.ACCOUNT_ID}:async-invoke/*"],
            {f"IAM5[Resource::{finding}]": "Jobs are named by Bedrock when they start."},
        ),
        allow(
            ["bedrock:ListAsyncInvokes"],
            ["*"],
            {
                "IAM5[Resource::*]": "Bedrock's list of jobs and X-Ray know no resources; the rest "
                "is a Deny."
            },
        ),
    ]


def _may_read(*secrets: secretsmanager.ISecret) -> Grant:
    return allow(["secretsmanager:GetSecretValue"], [secret.secret_arn for secret in secrets])
