"""The CloudFormation stack. This module wires the constructs, which create the resources."""

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
    """The API, the pipeline behind it, and everything that they need."""

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
        self.shared = SharedResources(
            stage=stage, network=self.network, layers=Layers(self, "Layers", stage=stage)
        )
        self.functions: dict[str, PipelineFunction] = {}
        self._add_step_functions()
        self.pipeline = Pipeline(
            self,
            "Pipeline",
            stage=stage,
            functions={folder: construct.function for folder, construct in self.functions.items()},
        )
        self._add_entry_point_functions()
        self._apply_migrations()
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
            dead_letter_queue=self.inbox.dead_letter_queue,
        )
        if self.network.nat is not None:
            nat.watch(self.network.nat, self.monitoring.topic)
        self._outputs()
        self._cost_tags()

    def _add_step_functions(self) -> None:
        """Create the functions that the state machine runs."""
        storage, providers = self.storage, self._providers()
        keys = _allow_read(self.secrets.providers)
        self._add_function(
            "story", providers, [keys, storage.allow_get(_RECEIPTS), storage.allow_put(_RECEIPTS)]
        )
        self._add_function(
            "image",
            providers,
            [
                keys,
                storage.allow_get(_UPLOADS, _IMAGES, _RECEIPTS),
                storage.allow_put(_IMAGES, _RECEIPTS),
            ],
        )
        self._add_function(
            "speech",
            providers,
            [
                keys,
                storage.allow_get(_RECEIPTS),
                storage.allow_put(_NARRATIONS, _RECEIPTS),
            ],
            speech=True,
        )
        self._add_function(
            "clip",
            providers,
            [
                keys,
                storage.allow_get(_UPLOADS, _IMAGES, _CLIPS, _RECEIPTS),
                storage.allow_put(_CLIPS, multipart=True),
                storage.allow_put(_RECEIPTS),
                *_allow_bedrock_clips(),
            ],
            ffmpeg=True,
        )
        self._add_function(
            "merge",
            self._media(),
            [
                storage.allow_get(_UPLOADS, _IMAGES, _NARRATIONS, _CLIPS),
                storage.allow_put(_CLIPS, multipart=True),
            ],
            ffmpeg=True,
        )
        self._add_function(
            "finish", self._media(), [storage.allow_put(_PROVENANCE), storage.allow_outbox_write()]
        )

    def _add_entry_point_functions(self) -> None:
        """Create the functions that requests and events run."""
        storage, pipeline = self.storage, self.pipeline
        clip, origins = self.functions["clip"].function, self.stage.cors_origins
        keys = {
            "KEYS_SECRET_ARN": self.secrets.keys.secret_arn,
            "OPERATOR_USER_ID": self.stage.operator_user_id,
        }
        machine = {"STATE_MACHINE_ARN": pipeline.state_machine.state_machine_arn}
        self._add_function("authorizer", keys, [_allow_read(self.secrets.keys)])
        self._add_function(
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
                # To select providers by the keys that are set.
                _allow_read(self.secrets.providers),
                # To derive the keys that sign links to media.
                _allow_read(self.secrets.keys),
                # For presigned URLs, which have the permissions of their signer.
                storage.allow_get(_CLIPS, _IMAGES, _NARRATIONS, _UPLOADS),
                storage.allow_put(_UPLOADS),
                # For the presigned forms and URLs with which clients upload files.
                storage.allow_put(_ARRIVALS, multipart=True),
                storage.allow_list_versions(),
                storage.allow_delete_versions(*_OF_A_VIDEO, batch=True),
                pipeline.allow_start(),
                pipeline.allow_stop(),
                allow(["lambda:InvokeFunction"], [clip.function_arn]),
            ],
        )
        self._add_function(
            "intake",
            {
                **machine,
                **self._providers(),
                "DAILY_CAP_USD": self.stage.daily_cap_usd,
                "INBOX_RECEIVES": str(RECEIVES),
            },
            [
                _allow_read(self.secrets.providers),
                self.inbox.allow_receive(),
                storage.allow_inbox_read(),
                storage.allow_inbox_list(),
                storage.allow_get(_IMAGES, _UPLOADS),
                storage.allow_put(_UPLOADS),
                storage.allow_outbox_write(),
                pipeline.allow_start(),
            ],
        )
        self._add_function(
            "register",
            self._media(),
            [
                storage.allow_get(_ARRIVALS),
                storage.allow_delete_versions(_ARRIVALS),
                storage.allow_put(_UPLOADS, multipart=True),
            ],
            ffmpeg=True,
        )
        self._add_function(
            "sweeper",
            {**machine, **self._media(), "CLIP_FUNCTION_NAME": clip.function_name},
            [
                pipeline.allow_start(),
                pipeline.allow_describe(),
                # To collect clips of ended runs from their provider.
                allow(["lambda:InvokeFunction"], [clip.function_arn]),
                # To delete objects that a late worker wrote for a deleted video.
                storage.allow_list_versions(),
                storage.allow_delete_versions(*_OF_A_VIDEO, batch=True),
                storage.allow_outbox_write(),
            ],
        )

    def _add_function(
        self,
        folder: str,
        settings: Mapping[str, str],
        grants: Sequence[Grant],
        *,
        ffmpeg: bool = False,
        speech: bool = False,
    ) -> None:
        """Create the function of a folder, with its database role."""
        self.functions[folder] = PipelineFunction(
            self,
            folder,
            shared=self.shared,
            environment={**self.database.environment(folder), **settings},
            grants=[
                _allow_read(self.database.role_secrets[folder]),
                *grants,
                self.storage.deny_inbox_changes(),
            ],
            ffmpeg=ffmpeg,
            speech=speech,
        )

    def _apply_migrations(self) -> None:
        """Apply migrations before any function gets code that requires them."""
        migrate = PipelineFunction(
            self,
            "migrate",
            shared=self.shared,
            environment=self.database.migrate_environment(),
            grants=[
                _allow_read(self.database.secret, *self.database.role_secrets.values()),
                self.storage.deny_inbox_changes(),
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
        for construct in self.functions.values():
            construct.function.node.add_dependency(applied)
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
        """Tag all resources for cost allocation; functions also have a `component` tag."""
        tags = {
            "project": "ai-video-generator",
            "stage": self.stage.name,
            COST_TAG: self.stage.stack_name,
        }
        # CloudFormation rejects tags on this type, although the CDK adds them.
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


def _allow_bedrock_clips() -> list[Grant]:
    """Allow jobs of Luma's model on Bedrock, whose results Bedrock writes to the media bucket."""
    bedrock = f"arn:{Aws.PARTITION}:bedrock:{Aws.REGION}"
    finding = "arn:<AWS::Partition>:bedrock:<AWS::Region>:<AWS::AccountId>:async-invoke/*"
    return [
        allow(["bedrock:InvokeModel"], [f"{bedrock}::foundation-model/luma.ray-v2:0"]),
        allow(
            ["bedrock:GetAsyncInvoke"],
            [f"{bedrock}:{Aws.ACCOUNT_ID}:async-invoke/*"],
            {f"IAM5[Resource::{finding}]": "Bedrock assigns the id of a job when it starts."},
        ),
        allow(
            ["bedrock:ListAsyncInvokes"],
            ["*"],
            {
                "IAM5[Resource::*]": "Bedrock's list of jobs and X-Ray support no resource-level "
                "permissions; the rest is a Deny."
            },
        ),
    ]


def _allow_read(*secrets: secretsmanager.ISecret) -> Grant:
    return allow(["secretsmanager:GetSecretValue"], [secret.secret_arn for secret in secrets])
