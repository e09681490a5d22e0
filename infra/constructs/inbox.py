"""The inbox: events of new objects in `inbox/`, and the queue that feeds them to `intake`.

The queue retries for half an hour, which covers database outages that are longer than Lambda's
retries, and then moves a message to the dead-letter queue. A delivery delay of a few seconds lets
an image and its JSON file both arrive.
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
_VISIBILITY_TIMEOUT = Duration.minutes(3)  # longer than the function's timeout
_DELIVERY_DELAY = Duration.seconds(5)
_CONCURRENCY = 5


class Inbox(Construct):
    """The rule on new objects, the queue and its dead-letter queue."""

    def __init__(self, scope: Construct, construct_id: str, *, bucket: s3.IBucket) -> None:
        super().__init__(scope, construct_id)
        self.dead_letter_queue = sqs.Queue(
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
            delivery_delay=_DELIVERY_DELAY,
            visibility_timeout=_VISIBILITY_TIMEOUT,
            dead_letter_queue=sqs.DeadLetterQueue(
                queue=self.dead_letter_queue, max_receive_count=RECEIVES
            ),
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

    def allow_receive(self) -> Grant:
        """Allow the calls that Lambda's event source mapping makes with the function's role."""
        return allow(
            ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"],
            [self.queue.queue_arn],
        )

    def feed(self, intake: lambda_.IFunction) -> None:
        """Invoke the function for each message."""
        lambda_.EventSourceMapping(
            self,
            "Feed",
            target=intake,
            event_source_arn=self.queue.queue_arn,
            batch_size=1,
            max_concurrency=_CONCURRENCY,
        )
