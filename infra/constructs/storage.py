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
    """One private, encrypted, versioned bucket: media of all users, `inbox/` and `outbox/`."""

    def __init__(self, scope: Construct, construct_id: str, *, stage: Stage) -> None:
        super().__init__(scope, construct_id)
        # Nothing in the stack may delete media by itself: `make destroy` empties the
        # bucket of a stage that keeps no data, before CloudFormation removes it.
        # A bucket whose creation is rolled back holds nothing and is deleted in any stage.
        kept = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE
        policy = kept if stage.keep_data else RemovalPolicy.DESTROY
        self.bucket = s3.Bucket(
            self,
            "Media",
            # A bucket that is there already is imported by its name (`cdk deploy
            # --import-existing-resources`), and not deleted when that is rolled back.
            bucket_name=stage.media_bucket or None,
            removal_policy=RemovalPolicy.RETAIN if stage.media_bucket else policy,
            encryption=s3.BucketEncryption.S3_MANAGED,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            enforce_ssl=True,
            # The event of an upload names its version, so a late one cannot start another run.
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
                # Kept apart: S3 takes no rule with both an expiration and this.
                s3.LifecycleRule(id="empty-markers", expired_object_delete_marker=True),
                s3.LifecycleRule(
                    id="lost-uploads", prefix="_uploads/", expiration=Duration.days(1)
                ),
            ],
        )
        resource = self.bucket.node.default_child
        assert isinstance(resource, s3.CfnBucket)
        # Not `event_bridge_enabled`: that adds a function of its own for one property.
        resource.notification_configuration = s3.CfnBucket.NotificationConfigurationProperty(
            event_bridge_configuration=s3.CfnBucket.EventBridgeConfigurationProperty(
                event_bridge_enabled=True
            )
        )
        acknowledge(
            self.bucket,
            "S1",
            "Server access logs hold whole presigned links, which open media until they expire.",
        )

    def may_get(self, *patterns: str) -> Grant:
        """Allow reading objects whose keys match, such as `*/video-clips/*`."""
        return self._allow(["s3:GetObject"], patterns)

    def may_put(self, *patterns: str, in_parts: bool = False) -> Grant:
        """Allow writing objects whose keys match; `in_parts` allows to clean up after a part."""
        parts = ["s3:AbortMultipartUpload"] if in_parts else []
        return self._allow(["s3:PutObject", *parts], patterns)

    def may_take(self) -> Grant:
        """Allow reading what was dropped into the inbox, in the version that an event names."""
        return self._allow(["s3:GetObject", "s3:GetObjectVersion"], ["inbox/*"])

    def may_find_beside(self) -> Grant:
        """Allow listing the inbox, to find the files that have the same name but for its end."""
        grant = allow(["s3:ListBucket"], [self.bucket.bucket_arn])
        grant.statement.add_condition("StringLike", {"s3:prefix": "inbox/*"})
        return grant

    def may_answer(self) -> Grant:
        """Allow writing into the outbox, and removing the answer that another one replaces."""
        return self._allow(["s3:PutObject", "s3:DeleteObject"], ["outbox/*"])

    def inbox_is_closed(self) -> Grant:
        """Deny every change of the inbox: what nobody here writes there cannot start anything."""
        return deny(_CHANGES, [self.bucket.arn_for_objects("inbox/*")])

    def may_find_versions(self) -> Grant:
        """Allow finding every version of an object."""
        return allow(["s3:ListBucketVersions"], [self.bucket.bucket_arn])

    def may_erase(self, *patterns: str, together: bool = False) -> Grant:
        """Allow deleting versions of objects whose keys match, at once and for good.

        `together`: many in one call, for which S3 asks for the right to delete objects as well.
        """
        more = ["s3:DeleteObject"] if together else []
        return self._allow(["s3:DeleteObjectVersion", *more], patterns)

    def _allow(self, actions: Sequence[str], patterns: Sequence[str]) -> Grant:
        resource = self.bucket.node.default_child
        assert isinstance(resource, s3.CfnBucket)
        name = Stack.of(self).get_logical_id(resource)
        return allow(
            actions,
            [self.bucket.arn_for_objects(pattern) for pattern in patterns],
            {
                f"IAM5[Resource::<{name}.Arn>/{pattern}]": "One kind of media, of every user."
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
                s3.HttpMethods.POST,  # uploads by a form
                s3.HttpMethods.PUT,  # uploads in parts
            ],
            allowed_headers=["Content-Type", "Content-MD5", "Range"],
            exposed_headers=_EXPOSED,
            max_age=3600,
        ),
        # A link leads through the API, and a browser that was sent on from there names no origin
        # any more. Whoever has the presigned URL may read by it, without credentials.
        s3.CorsRule(
            allowed_origins=["*"],
            allowed_methods=[s3.HttpMethods.GET, s3.HttpMethods.HEAD],
            allowed_headers=["Range"],
            exposed_headers=_EXPOSED,
            max_age=3600,
        ),
    ]
