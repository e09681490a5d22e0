# User data of the NAT instance (nat.py), run once by root when it boots first. The lines before
# these signal CloudFormation on exit, with the exit code and the text of `reason`.
# shellcheck disable=SC2034 # `reason` is used there
set -eu

missing() {
    command -v nft > /dev/null || echo nftables
    [ -x /opt/aws/bin/cfn-signal ] || echo aws-cfn-bootstrap
}

# An image that has both programs needs nothing from the network. Amazon Linux 2023 comes without
# nft, and its first minutes are busy, so the installation is tried for about five minutes.
reason='a package could not be installed; the console output of the instance says why'
attempts=0
until [ -z "$(missing)" ]; do
    attempts=$((attempts + 1))
    [ "$attempts" -le 12 ]
    # shellcheck disable=SC2046 # one argument for each package
    dnf install --assumeyes $(missing) || sleep 20
done

# All of it is on disk, so that it holds after a reboot, which downloads nothing.
reason='address translation could not be turned on'
echo 'net.ipv4.ip_forward = 1' > /etc/sysctl.d/90-nat.conf
cat > /etc/nat.nft << 'RULES'
table ip nat
flush table ip nat
table ip nat {
    chain postrouting {
        type nat hook postrouting priority srcnat
        oifname != "lo" masquerade
    }
}
RULES
cat > /etc/systemd/system/nat.service << UNIT
[Unit]
Description=Network address translation for the VPC
Wants=network-pre.target
Before=network-pre.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=$(command -v nft) -f /etc/nat.nft

[Install]
WantedBy=multi-user.target
UNIT
sysctl -p /etc/sysctl.d/90-nat.conf
systemctl daemon-reload
systemctl enable --now nat.service

reason='address translation is not active'
[ "$(sysctl -n net.ipv4.ip_forward)" = 1 ]
nft list chain ip nat postrouting | grep -q masquerade
