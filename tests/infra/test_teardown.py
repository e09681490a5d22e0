"""CloudFormation deletes what functions leave behind while their roles still exist."""

from tests.infra.template import Template


def functions_subnets(template: Template) -> set[str]:
    return {
        subnet["Ref"]
        for function in template.functions.values()
        for subnet in function["VpcConfig"]["SubnetIds"]
    }


def functions_groups(template: Template) -> set[str]:
    return {
        group["Fn::GetAtt"][0]
        for function in template.functions.values()
        for group in function["VpcConfig"]["SecurityGroupIds"]
    }


def test_network_of_functions_is_deleted_before_their_roles(template: Template) -> None:
    roles = {function["Role"]["Fn::GetAtt"][0] for function in template.functions.values()}
    assert len(roles) == len(template.functions)
    for name in functions_subnets(template) | functions_groups(template):
        assert roles <= set(template.resources[name]["DependsOn"]), name


def test_each_role_itself_may_remove_network_interfaces(template: Template) -> None:
    for function in template.functions.values():
        role = template.resources[function["Role"]["Fn::GetAtt"][0]]["Properties"]
        allowed = {
            action
            for policy in role["Policies"]
            for statement in policy["PolicyDocument"]["Statement"]
            for action in statement["Action"]
        }
        assert "ec2:DeleteNetworkInterface" in allowed
