"""URLs that must never be followed: shared by every place of the API that takes one."""

# Refused as they are written, before any name is resolved.
WRITTEN = (
    # Other schemes, and none
    "http://pictures.example/a.png", "ftp://pictures.example/a.png", "file:///etc/passwd",
    "gopher://pictures.example/", "data:image/png;base64,AAAA", "//pictures.example/a.png",
    "pictures.example/a.png", "https:pictures.example", "https:/pictures.example", "https://",
    "jar:https://pictures.example!/", "HTTPS//pictures.example", "javascript:alert(1)",
    # IP addresses, in every spelling that some resolver takes
    "https://127.0.0.1/", "https://127.1/", "https://127.0.1/", "https://2130706433/",
    "https://0x7f000001/", "https://0x7f.0.0.1/", "https://0177.0.0.1/", "https://017700000001/",
    "https://0/", "https://0.0.0.0/", "https://169.254.169.254/latest/meta-data/",
    "https://2852039166/", "https://0xA9FEA9FE/", "https://0xa9.0xfe.0xa9.0xfe/",
    "https://0251.0376.0251.0376/", "https://[::1]/", "https://[::]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:169.254.169.254]/", "https://[64:ff9b::a9fe:a9fe]/",
    "https://[fd00:ec2::254]/",
    "https://[2002:a9fe:a9fe::]/", "https://[fe80::1%25eth0]/", "https://8.8.8.8/",
    "https://127.0.0.1./",
    "https://１２７.０.０.１/", "https://127。0。0。1/", "https://①②⑦.0.0.1/",
    # Names that are no names
    "https://localhost/", "https://localhost./", "https://metadata/", "https://pictures.example./",
    "https://pictures..example/", "https://.example/", "https://-a.example/", "https://a-.example/",
    "https://a_b.example/", "https://ⓔxample.com/", "https://exa%6dple.com/", "https://a.b.0x1/",
    # Users, ports, and what parsers read in two ways
    "https://user@pictures.example/", "https://user:pass@pictures.example/",
    "https://pictures.example@127.0.0.1/",
    "https://127.0.0.1#@pictures.example/", "https://127.0.0.1\\@pictures.example/",
    "https://pictures.example\\@127.0.0.1/", "https://pictures.example:80/",
    "https://pictures.example:8443/",
    "https://pictures.example:0443/", "https://pictures.example:/",
    "https://pictures.example:443@127.0.0.1/",
    "https://pictures.example:443:80/", "https://pictures.example /",
    "https://pictures.example/a b",
    "https://pictures.example\t/", "https://pictures.example/\r\nHost: inner",
    "https://pictures.example/\x00",
    " https://pictures.example/", "https://pictures.example/\u2028", "https://pictures.example/é",
    "https://pictures.example?@127.0.0.1\\", "https://" + "a" * 64 + ".example/",
    "https://" + "a." * 130 + "example/", "https://pictures.example/" + "a" * 2048,
)  # fmt: skip

# Addresses that a name may lead to, none of which is a public one.
ADDRESSES = (
    "0.0.0.0", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.100.100.200", "127.0.0.1",
    "127.255.255.254", "169.254.169.254", "169.254.170.2", "172.16.0.1", "172.31.255.255",
    "192.0.0.8", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.0.1", "198.18.0.1",
    "198.19.255.255",
    "198.51.100.7", "203.0.113.9", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::127.0.0.1", "::a9fe:a9fe", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
    "::ffff:169.254.169.254", "::ffff:0:127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
    "64:ff9b::808:808", "64:ff9b:1::a9fe:a9fe", "64:ff9b:1:2::1", "100::1", "2001::a9fe:a9fe",
    "2001:0:53aa:64c::1", "2001:2::1", "2001:10::1", "2001:20::1", "2001:db8::1", "2002:7f00:1::",
    "2002:a9fe:a9fe::", "2002:a00:1::1", "3fff::1", "3fff:fff::1", "5f00::1", "fc00::1",
    "fd00:ec2::254",
    "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "ff0e::1",
)  # fmt: skip
