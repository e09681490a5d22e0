"""From an object in the inbox to the function that takes it in."""

from tests.infra.template import Json, Template


def queues(template: Template) -> tuple[Json, Json]:
    """The queue and the one that messages are laid aside in, each with its logical id."""
    found = template.of_type("AWS::SQS::Queue")
    ((name, queue),) = [(n, q) for n, q in found.items() if "RedrivePolicy" in q]
    ((aside, laid),) = [(n, q) for n, q in found.items() if "RedrivePolicy" not in q]
    return {"id": name, **queue}, {"id": aside, **laid}


def test_only_new_objects_in_the_inbox_are_events(template: Template) -> None:
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
    # Without versions, a late event could start a run of an object that has replaced its own.
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    pattern = rule["EventPattern"]
    assert pattern["detail-type"] == ["Object Created"]
    (name,) = pattern["detail"]["bucket"]["name"]
    assert name["Ref"] in template.of_type("AWS::S3::Bucket")
    (target,) = rule["Targets"]
    assert target["Arn"]["Fn::GetAtt"][0] == queues(template)[0]["id"]


def test_the_queue_waits_for_what_belongs_together_and_gives_up_late(template: Template) -> None:
    queue, aside = queues(template)
    assert 1 <= queue["DelaySeconds"] <= 10
    assert queue["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0] == aside["id"]
    receives = queue["RedrivePolicy"]["maxReceiveCount"]
    assert receives * queue["VisibilityTimeout"] >= 30 * 60
    environment = template.functions["intake"]["Environment"]["Variables"]
    assert environment["INBOX_RECEIVES"] == str(receives)
    # A message must not come again while the function is still at it.
    assert queue["VisibilityTimeout"] > template.functions["intake"]["Timeout"]
    assert aside["MessageRetentionPeriod"] == 14 * 24 * 3600


def test_the_queues_are_encrypted_and_only_the_rule_writes(template: Template) -> None:
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


def test_messages_come_one_by_one(template: Template) -> None:
    feed = template.only("AWS::Lambda::EventSourceMapping")
    assert feed["BatchSize"] == 1
    assert feed["EventSourceArn"]["Fn::GetAtt"][0] == queues(template)[0]["id"]
    assert feed["ScalingConfig"]["MaximumConcurrency"] >= 2
    function = feed["FunctionName"]["Ref"]
    assert template.function_ids[function] == "intake"


def test_what_was_laid_aside_raises_an_alarm(template: Template) -> None:
    aside = queues(template)[1]["id"]
    (alarm,) = [
        alarm
        for alarm in template.of_type("AWS::CloudWatch::Alarm").values()
        if aside in str(alarm.get("Dimensions"))
    ]
    assert alarm["MetricName"] == "ApproximateNumberOfMessagesVisible"
    assert alarm["Threshold"] == 1
