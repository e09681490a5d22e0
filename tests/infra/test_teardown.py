"""Deletion order: the network of functions before their roles, so that interfaces are removed."""

from tests.infra.template import Template


def function_subnets(template: Template) -> set[str]:
    return {
        subnet["Ref"]
        for function in template.functions.values()
        for subnet in function["VpcConfig"]["SubnetIds"]
    }


def function_security_groups(template: Template) -> set[str]:
    return {
        group["Fn::GetAtt"][0]
        for function in template.functions.values()
        for group in function["VpcConfig"]["SecurityGroupIds"]
    }


def test_function_network_is_deleted_before_roles(template: Template) -> None:
    roles = {function["Role"]["Fn::GetAtt"][0] for function in template.functions.values()}
    assert len(roles) == len(template.functions)
    for name in function_subnets(template) | function_security_groups(template):
        assert roles <= set(template.resources[name]["DependsOn"]), name


def test_function_roles_may_delete_network_interfaces(template: Template) -> None:
    for function in template.functions.values():
        role = template.resources[function["Role"]["Fn::GetAtt"][0]]["Properties"]
        allowed = {
            action
            for policy in role["Policies"]
            for statement in policy["PolicyDocument"]["Statement"]
            for action in statement["Action"]
        }
        assert "ec2:DeleteNetworkInterface" in allowed
