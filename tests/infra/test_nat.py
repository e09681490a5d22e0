"""The NAT instance of stage `dev`: boot signal, deployments without replacement, recovery."""

import json
import shutil
import stat
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from infra import config
from infra.app import synthesize
from tests.infra.template import Json, Template

IMAGE = "ami-0123456789abcdef0"
RULES = "type nat hook postrouting"


@pytest.fixture
def dev(templates: Mapping[str, Template]) -> Template:
    return templates["dev"]


@pytest.fixture(scope="module")
def pinned(templates: Mapping[str, Template], tmp_path_factory: pytest.TempPathFactory) -> Template:
    """Stage `dev` with the image of the running instance and a changed function setting."""
    stage = config.stage("dev", {"nat_image": IMAGE, "log_level": "DEBUG"})
    return Template("dev", synthesize(stage, tmp_path_factory.mktemp("pinned") / "dev"))


def instance(template: Template) -> tuple[str, Json]:
    ((name, resource),) = (
        (name, resource)
        for name, resource in template.resources.items()
        if resource["Type"] == "AWS::EC2::Instance"
    )
    return name, resource


def test_nat_instance_has_creation_policy_with_signal(dev: Template) -> None:
    name, resource = instance(dev)
    assert resource["Properties"]["InstanceType"] == "t4g.micro"
    assert resource["CreationPolicy"]["ResourceSignal"] == {"Count": 1, "Timeout": "PT15M"}
    text = json.dumps(resource["Properties"]["UserData"])
    assert f"--resource {name} --region" in text
    assert len(script(dev).encode()) < 16 * 2**10, "EC2 takes 16 KB of user data"


def test_nat_route_and_migrations_depend_on_instance(dev: Template) -> None:
    name, _ = instance(dev)
    routes = [r for r in dev.of_type("AWS::EC2::Route").values() if r.get("InstanceId")]
    assert routes
    assert all(route["InstanceId"] == {"Ref": name} for route in routes)
    (migrations,) = (r for r in dev.resources.values() if r["Type"] == "Custom::DatabaseMigrations")
    assert name in migrations["DependsOn"]


def test_nat_deployment_with_running_image_does_not_replace_instance(
    dev: Template, pinned: Template
) -> None:
    (name, before), (same_name, after) = instance(dev), instance(pinned)
    assert name == same_name
    newest = before["Properties"].pop("ImageId")
    assert "al2023-ami-kernel-6.1-arm64" in dev.document["Parameters"][newest["Ref"]]["Default"]
    assert after["Properties"].pop("ImageId") == IMAGE
    assert after == before
    assert not any("ami-amazon-linux" in json.dumps(p) for p in pinned.document["Parameters"])


@pytest.mark.parametrize("image", ["latest", "ami-", "ami-XYZ", "ami-0123456789abcdef0 "])
def test_nat_image_must_be_ami_id(image: str) -> None:
    with pytest.raises(ValueError, match="nat_image"):
        config.stage("dev", {"nat_image": image})


def test_nat_alarms_recover_host_and_reboot_instance(dev: Template) -> None:
    name, _ = instance(dev)
    (topic,) = dev.of_type("AWS::SNS::Topic")
    alarms = {
        alarm["MetricName"]: alarm
        for alarm in dev.of_type("AWS::CloudWatch::Alarm").values()
        if alarm.get("Namespace") == "AWS/EC2"
    }
    for metric, action in (
        ("StatusCheckFailed_System", ":ec2:recover"),
        ("StatusCheckFailed_Instance", ":ec2:reboot"),
    ):
        alarm = alarms[metric]
        assert alarm["Dimensions"] == [{"Name": "InstanceId", "Value": {"Ref": name}}]
        repair, notification = alarm["AlarmActions"]
        assert repair["Fn::Join"][1][-1] == action
        assert notification == {"Ref": topic}
    assert (
        alarms["StatusCheckFailed_System"]["EvaluationPeriods"]
        < alarms["StatusCheckFailed_Instance"]["EvaluationPeriods"]
    )


# The user data, run by bash with fakes of the programs that change the machine.


def script(template: Template) -> str:
    """Return the user data with references resolved to their names."""
    _, parts = instance(template)[1]["Properties"]["UserData"]["Fn::Base64"]["Fn::Join"]
    return "".join(part if isinstance(part, str) else part["Ref"].lower() for part in parts)


@dataclass(frozen=True)
class Machine:
    """A fake root folder whose programs log their calls."""

    root: Path

    def program(self, name: str, body: str) -> None:
        path = self.root / "bin" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'#!{shutil.which("bash")}\necho "{name} $*" >> {self.root}/calls\n{body}')
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def boot(self, user_data: str) -> int:
        for folder in ("etc/sysctl.d", "etc/systemd/system"):
            (self.root / folder).mkdir(parents=True)
        text = user_data.replace("/etc/", f"{self.root}/etc/")
        text = text.replace("/opt/aws/bin/", f"{self.root}/bin/")
        command = [str(shutil.which("bash")), "-c", text]
        done = subprocess.run(
            command, env={"PATH": str(self.root / "bin")}, capture_output=True, check=False
        )
        return done.returncode

    def calls(self, program: str) -> list[str]:
        lines = (self.root / "calls").read_text().splitlines()
        return [line for line in lines if line.split()[0] == program]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """An Amazon Linux 2023 at boot: a package manager, but neither nft nor cfn-signal."""
    machine = Machine(tmp_path)
    install = "".join(
        f"printf '#!{shutil.which('bash')}\\necho \"{name} $*\" >> {tmp_path}/calls\\n{body}\\n' "
        f"> {tmp_path}/bin/{name}\nchmod +x {tmp_path}/bin/{name}\n"
        for name, body in (("nft", f"echo {RULES} masquerade"), ("cfn-signal", ""))
    )
    machine.program("dnf", install)
    machine.program("sleep", "")
    machine.program("systemctl", "")
    machine.program("sysctl", '[ "$1" != -n ] || echo 1')
    for name in ("cat", "grep", "chmod"):
        (tmp_path / "bin" / name).symlink_to(str(shutil.which(name)))
    return machine


def test_nat_boot_signals_success(dev: Template, machine: Machine) -> None:
    assert machine.boot(script(dev)) == 0
    assert machine.calls("dnf") == ["dnf install --assumeyes nftables aws-cfn-bootstrap"]
    (signal,) = machine.calls("cfn-signal")
    assert "--stack aws::stackname --resource Network" in signal
    assert "--exit-code 0" in signal
    assert "systemctl enable --now nat.service" in machine.calls("systemctl")
    unit = (machine.root / "etc/systemd/system/nat.service").read_text()
    assert f"ExecStart={machine.root}/bin/nft -f {machine.root}/etc/nat.nft" in unit
    assert RULES in (machine.root / "etc/nat.nft").read_text()
    assert "ip_forward = 1" in (machine.root / "etc/sysctl.d/90-nat.conf").read_text()


def test_nat_boot_with_preinstalled_programs_downloads_nothing(
    dev: Template, machine: Machine
) -> None:
    machine.program("nft", "echo masquerade")
    machine.program("cfn-signal", "")
    assert machine.boot(script(dev)) == 0
    assert machine.calls("dnf") == []


def test_nat_boot_retries_package_installation(dev: Template, machine: Machine) -> None:
    dnf = machine.root / "bin" / "dnf"
    works = dnf.read_text()
    machine.program("dnf", f"[ $(grep -c ^dnf {machine.root}/calls) -gt 3 ] || exit 1\n{works}")
    assert machine.boot(script(dev)) == 0
    assert len(machine.calls("sleep")) == 3


def test_nat_boot_signals_failed_package_installation(dev: Template, machine: Machine) -> None:
    machine.program("cfn-signal", "")
    machine.program("dnf", "exit 1")
    assert machine.boot(script(dev)) != 0
    assert len(machine.calls("dnf")) == 12
    (signal,) = machine.calls("cfn-signal")
    assert "--exit-code 1 --reason a package could not be installed" in signal


def test_nat_boot_signals_inactive_address_translation(dev: Template, machine: Machine) -> None:
    machine.program("cfn-signal", "")
    machine.program("nft", "echo nothing")
    assert machine.boot(script(dev)) != 0
    (signal,) = machine.calls("cfn-signal")
    assert "--exit-code 1 --reason address translation is not active" in signal
