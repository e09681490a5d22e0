"""The path of an inbox object: EventBridge rule, SQS queue, dead-letter queue and function."""

from tests.infra.template import Json, Template


def queues(template: Template) -> tuple[Json, Json]:
    """Return the inbox queue and its dead-letter queue, each with its logical id."""
    queues = template.of_type("AWS::SQS::Queue")
    ((name, queue),) = [(n, q) for n, q in queues.items() if "RedrivePolicy" in q]
    ((dead_letter_name, dead_letters),) = [
        (n, q) for n, q in queues.items() if "RedrivePolicy" not in q
    ]
    return {"id": name, **queue}, {"id": dead_letter_name, **dead_letters}


def test_inbox_rule_matches_only_created_objects(template: Template) -> None:
    (rule,) = [
        rule
        for rule in template.of_type("AWS::Events::Rule").values()
        if rule.get("EventPattern", {}).get("source") == ["aws.s3"]
        and rule["EventPattern"]["detail"]["object"] == {"key": [{"prefix": "inbox/"}]}
    ]
    bucket = template.only("AWS::S3::Bucket")
    assert bucket["NotificationConfiguration"]["EventBridgeConfiguration"] == {
        "EventBridgeEnabled": True
    }
    # Without versions, a late event could start a run with a newer object of the same key.
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    pattern = rule["EventPattern"]
    assert pattern["detail-type"] == ["Object Created"]
    (name,) = pattern["detail"]["bucket"]["name"]
    assert name["Ref"] in template.of_type("AWS::S3::Bucket")
    (target,) = rule["Targets"]
    assert target["Arn"]["Fn::GetAtt"][0] == queues(template)[0]["id"]


def test_inbox_queue_delays_and_retries_for_half_an_hour(template: Template) -> None:
    queue, dead_letter_queue = queues(template)
    assert 1 <= queue["DelaySeconds"] <= 10
    assert queue["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0] == dead_letter_queue["id"]
    receives = queue["RedrivePolicy"]["maxReceiveCount"]
    assert receives * queue["VisibilityTimeout"] >= 30 * 60
    environment = template.functions["intake"]["Environment"]["Variables"]
    assert environment["INBOX_RECEIVES"] == str(receives)
    # A message must not be redelivered while the function still processes it.
    assert queue["VisibilityTimeout"] > template.functions["intake"]["Timeout"]
    assert dead_letter_queue["MessageRetentionPeriod"] == 14 * 24 * 3600


def test_inbox_queues_are_encrypted_and_accept_only_the_rule(template: Template) -> None:
    policies = template.of_type("AWS::SQS::QueuePolicy").values()
    for queue in queues(template):
        assert queue["SqsManagedSseEnabled"] is True
        statements = [
            statement
            for policy in policies
            if {"Ref": queue["id"]} in policy["Queues"]
            for statement in policy["PolicyDocument"]["Statement"]
        ]
        assert [s for s in statements if s["Effect"] == "Deny" and "aws:SecureTransport" in str(s)]
        for statement in statements:
            if statement["Effect"] == "Allow":
                assert statement["Principal"] == {"Service": "events.amazonaws.com"}
                assert "sqs:SendMessage" in statement["Action"]
                assert statement["Condition"]["ArnEquals"]["aws:SourceArn"]["Fn::GetAtt"]


def test_inbox_messages_are_delivered_one_by_one(template: Template) -> None:
    mapping = template.only("AWS::Lambda::EventSourceMapping")
    assert mapping["BatchSize"] == 1
    assert mapping["EventSourceArn"]["Fn::GetAtt"][0] == queues(template)[0]["id"]
    assert mapping["ScalingConfig"]["MaximumConcurrency"] >= 2
    function = mapping["FunctionName"]["Ref"]
    assert template.function_ids[function] == "intake"


def test_inbox_dead_letter_queue_raises_alarm(template: Template) -> None:
    dead_letter_queue = queues(template)[1]["id"]
    (alarm,) = [
        alarm
        for alarm in template.of_type("AWS::CloudWatch::Alarm").values()
        if dead_letter_queue in str(alarm.get("Dimensions"))
    ]
    assert alarm["MetricName"] == "ApproximateNumberOfMessagesVisible"
    assert alarm["Threshold"] == 1
