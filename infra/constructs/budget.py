"""Monthly AWS budget of a stage, which excludes charges of the AI providers."""

from aws_cdk import Aws, Stack
from aws_cdk import aws_budgets as budgets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from constructs import Construct

from infra.config import Stage

COST_TAG = "stack"
"""Cost allocation tag with the stack's name, to be activated in the Billing console."""

_ALERTS = (("ACTUAL", 80), ("FORECASTED", 100))  # percent of the budget


class MonthlyBudget(Construct):
    """An AWS Budget for resources with the stack's cost tag, with alerts to the alarm topic."""

    def __init__(
        self, scope: Construct, construct_id: str, *, stage: Stage, topic: sns.Topic
    ) -> None:
        super().__init__(scope, construct_id)
        result = topic.add_to_resource_policy(
            # https://docs.aws.amazon.com/cost-management/latest/userguide/budgets-sns-policy.html
            iam.PolicyStatement(
                actions=["sns:Publish"],
                principals=[iam.ServicePrincipal("budgets.amazonaws.com")],
                resources=[topic.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": Stack.of(self).account}},
            )
        )
        subscriber = budgets.CfnBudget.SubscriberProperty(
            subscription_type="SNS", address=topic.topic_arn
        )
        budget = budgets.CfnBudget(
            self,
            "Budget",
            budget=budgets.CfnBudget.BudgetDataProperty(
                budget_name=f"{stage.stack_name}-{Aws.REGION}",  # unique per account
                budget_type="COST",
                time_unit="MONTHLY",
                budget_limit=budgets.CfnBudget.SpendProperty(
                    amount=float(stage.monthly_budget_usd), unit="USD"
                ),
                cost_filters={"TagKeyValue": [f"user:{COST_TAG}${stage.stack_name}"]},
            ),
            notifications_with_subscribers=[
                budgets.CfnBudget.NotificationWithSubscribersProperty(
                    notification=budgets.CfnBudget.NotificationProperty(
                        notification_type=kind,
                        comparison_operator="GREATER_THAN",
                        threshold=percent,
                        threshold_type="PERCENTAGE",
                    ),
                    subscribers=[subscriber],
                )
                for kind, percent in _ALERTS
            ],
        )
        if result.policy_dependable:
            budget.node.add_dependency(result.policy_dependable)
