"""What lies between an object in the bucket's `inbox/` and the function that takes it in.

A queue, because events are delivered once and a database may be away for longer than Lambda tries
again. It waits a few seconds, so that a picture and the JSON beside it are both there, and it
hands a message out again and again for half an hour before it lays it aside.
"""

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.constructs.grants import Grant, allow

RECEIVES = 10
_AGAIN_AFTER = Duration.minutes(3)  # longer than the function may take
_TOGETHER = Duration.seconds(5)
_AT_ONCE = 5  # objects that are taken in at a time


class Inbox(Construct):
    """The rule on new objects, the queue, and where messages go that nobody could handle."""

    def __init__(self, scope: Construct, construct_id: str, *, bucket: s3.IBucket) -> None:
        super().__init__(scope, construct_id)
        self.aside = sqs.Queue(
            self,
            "Aside",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=Duration.days(14),
        )
        self.queue = sqs.Queue(
            self,
            "Queue",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            delivery_delay=_TOGETHER,
            visibility_timeout=_AGAIN_AFTER,
            dead_letter_queue=sqs.DeadLetterQueue(queue=self.aside, max_receive_count=RECEIVES),
        )
        events.Rule(
            self,
            "Dropped",
            description="An object was dropped into the inbox",
            event_pattern=events.EventPattern(
                source=["aws.s3"],
                detail_type=["Object Created"],
                detail={
                    "bucket": {"name": [bucket.bucket_name]},
                    "object": {"key": [{"prefix": "inbox/"}]},
                },
            ),
            targets=[targets.SqsQueue(self.queue)],
        )

    def may_receive(self) -> Grant:
        """Allow what Lambda does with the queue in the function's name."""
        return allow(
            ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"],
            [self.queue.queue_arn],
        )

    def feed(self, intake: lambda_.IFunction) -> None:
        """Hand each message to the function."""
        lambda_.EventSourceMapping(
            self,
            "Feed",
            target=intake,
            event_source_arn=self.queue.queue_arn,
            batch_size=1,
            max_concurrency=_AT_ONCE,
        )
