"""The media bucket."""

from collections.abc import Sequence

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.config import Stage
from infra.constructs.grants import Grant, allow, deny
from infra.constructs.nag import acknowledge

_CHANGES = [
    "s3:DeleteObject",
    "s3:DeleteObjectVersion",
    "s3:PutObject",
    "s3:PutObjectAcl",
    "s3:PutObjectTagging",
    "s3:RestoreObject",
]


class Storage(Construct):
    """A private, encrypted, versioned bucket for media, `inbox/` and `outbox/` of all users."""

    def __init__(self, scope: Construct, construct_id: str, *, stage: Stage) -> None:
        super().__init__(scope, construct_id)
        # No resource of the stack deletes media: `make destroy` empties the bucket of a stage that
        # keeps no data before CloudFormation deletes it. If the creation of a bucket is rolled
        # back, the bucket is empty and is deleted in any stage.
        retain = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE
        policy = retain if stage.keep_data else RemovalPolicy.DESTROY
        self.bucket = s3.Bucket(
            self,
            "Media",
            # An existing bucket is imported by name (`cdk deploy --import-existing-resources`), and
            # retained if the import is rolled back.
            bucket_name=stage.media_bucket or None,
            removal_policy=RemovalPolicy.RETAIN if stage.media_bucket else policy,
            encryption=s3.BucketEncryption.S3_MANAGED,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            enforce_ssl=True,
            # Upload events name the object's version, so a late event cannot start a second run.
            versioned=True,
            cors=_cors(stage),
            lifecycle_rules=[
                s3.LifecycleRule(
                    id="abandoned-uploads", abort_incomplete_multipart_upload_after=Duration.days(1)
                ),
                s3.LifecycleRule(
                    id="inbox", prefix="inbox/", expiration=Duration.days(stage.inbox_days)
                ),
                s3.LifecycleRule(
                    id="old-versions",
                    noncurrent_version_expiration=Duration.days(stage.old_version_days),
                ),
                # A separate rule: S3 rejects one that also has an expiration.
                s3.LifecycleRule(id="empty-markers", expired_object_delete_marker=True),
                s3.LifecycleRule(
                    id="lost-uploads", prefix="_uploads/", expiration=Duration.days(1)
                ),
            ],
        )
        resource = self.bucket.node.default_child
        assert isinstance(resource, s3.CfnBucket)
        # `event_bridge_enabled` of the L2 construct would add a custom resource for one property.
        resource.notification_configuration = s3.CfnBucket.NotificationConfigurationProperty(
            event_bridge_configuration=s3.CfnBucket.EventBridgeConfigurationProperty(
                event_bridge_enabled=True
            )
        )
        acknowledge(
            self.bucket,
            "S1",
            "Server access logs contain presigned URLs, which grant access until they expire.",
        )

    def allow_get(self, *patterns: str) -> Grant:
        """Allow reading objects whose keys match a pattern, such as `*/video-clips/*`."""
        return self._allow(["s3:GetObject"], patterns)

    def allow_put(self, *patterns: str, multipart: bool = False) -> Grant:
        """Allow writing objects whose keys match; `multipart` also allows aborting uploads."""
        abort = ["s3:AbortMultipartUpload"] if multipart else []
        return self._allow(["s3:PutObject", *abort], patterns)

    def allow_inbox_read(self) -> Grant:
        """Allow reading objects in the inbox by key and version."""
        return self._allow(["s3:GetObject", "s3:GetObjectVersion"], ["inbox/*"])

    def allow_inbox_list(self) -> Grant:
        """Allow listing the inbox, to find files that differ in their extension only."""
        grant = allow(["s3:ListBucket"], [self.bucket.bucket_arn])
        grant.statement.add_condition("StringLike", {"s3:prefix": "inbox/*"})
        return grant

    def allow_outbox_write(self) -> Grant:
        """Allow writing results to the outbox, and deleting those that they replace."""
        return self._allow(["s3:PutObject", "s3:DeleteObject"], ["outbox/*"])

    def deny_inbox_changes(self) -> Grant:
        """Deny all changes to the inbox, so that no function can start a run by writing to it."""
        return deny(_CHANGES, [self.bucket.arn_for_objects("inbox/*")])

    def allow_list_versions(self) -> Grant:
        """Allow listing the versions of objects."""
        return allow(["s3:ListBucketVersions"], [self.bucket.bucket_arn])

    def allow_delete_versions(self, *patterns: str, batch: bool = False) -> Grant:
        """Allow deleting object versions permanently, for objects whose keys match.

        `batch` allows DeleteObjects, for which S3 also requires s3:DeleteObject.
        """
        more = ["s3:DeleteObject"] if batch else []
        return self._allow(["s3:DeleteObjectVersion", *more], patterns)

    def _allow(self, actions: Sequence[str], patterns: Sequence[str]) -> Grant:
        resource = self.bucket.node.default_child
        assert isinstance(resource, s3.CfnBucket)
        name = Stack.of(self).get_logical_id(resource)
        return allow(
            actions,
            [self.bucket.arn_for_objects(pattern) for pattern in patterns],
            {
                f"IAM5[Resource::<{name}.Arn>/{pattern}]": "One kind of media, of all users."
                for pattern in patterns
            },
        )


_EXPOSED = ["ETag", "Content-Length", "Content-Range"]


def _cors(stage: Stage) -> list[s3.CorsRule] | None:
    if not stage.cors_origins:
        return None
    return [
        s3.CorsRule(
            allowed_origins=list(stage.cors_origins),
            allowed_methods=[
                s3.HttpMethods.GET,
                s3.HttpMethods.HEAD,
                s3.HttpMethods.POST,  # presigned forms
                s3.HttpMethods.PUT,  # presigned multipart uploads
            ],
            allowed_headers=["Content-Type", "Content-MD5", "Range"],
            exposed_headers=_EXPOSED,
            max_age=3600,
        ),
        # Signed links redirect from the API to a presigned URL, and after a cross-origin redirect a
        # browser sends `Origin: null`. The presigned URL itself authorizes the request.
        s3.CorsRule(
            allowed_origins=["*"],
            allowed_methods=[s3.HttpMethods.GET, s3.HttpMethods.HEAD],
            allowed_headers=["Range"],
            exposed_headers=_EXPOSED,
            max_age=3600,
        ),
    ]
