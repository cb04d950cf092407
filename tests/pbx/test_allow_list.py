import pytest

from pbx.agent.allow_list import BadAllowList, file_reader, parse


@pytest.mark.parametrize(
    ("address", "is_allowed"),
    [
        ("192.0.2.7", True),
        ("192.0.2.8", False),
        ("198.51.100.1", True),
        ("198.51.100.254", True),
        ("198.51.101.1", False),
        ("::ffff:192.0.2.7", True),
        ("::ffff:192.0.2.8", False),
        ("::ffff:c000:207", True),
        ("2001:db8::5", True),
        ("2001:db8:0:1::5", False),
        ("fe80::1%eth0", True),
        ("203.0.113.9", True),
        ("203.0.113.10", False),
        ("", False),
        ("unix:", False),
        ("192.0.2.7, 203.0.113.1", False),
        ("192.0.2.007", False),
    ],
)
def test_addresses_and_networks_on_the_list_are_allowed(address, is_allowed):
    networks = parse(
        "\ufeff# chkcon_whitelist.conf\n"
        "192.0.2.7\n"
        "\n"
        "  198.51.100.20/24   # the office, written with host bits\r\n"
        "2001:db8::/64\n"
        "fe80::1\n"
        "::ffff:203.0.113.9\n"
    )

    assert networks.allows(address) is is_allowed


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "the allow-list is empty"),
        ("# nothing\n\n", "the allow-list is empty"),
        ("192.0.2.7\npbx.example.net\n", "line 2: 'pbx.example.net' is no address or CIDR"),
        ("192.0.2.7\n192.0.2.0/33\n", "line 2: '192.0.2.0/33' is no address or CIDR"),
        ("192.0.2.7 192.0.2.8\n", "line 1: '192.0.2.7 192.0.2.8' is no address or CIDR"),
        ("0.0.0.0/0\n", "line 1: 0.0.0.0/0 would let everyone in"),
        ("::/0\n", "line 1: ::/0 would let everyone in"),
        ("::ffff:0:0/96\n", "line 1: ::ffff:0:0/96 would let everyone in"),
    ],
)
def test_a_list_that_cannot_be_trusted_is_refused_with_its_line(text, complaint):
    with pytest.raises(BadAllowList) as caught:
        parse(text)

    assert str(caught.value) == complaint


def test_an_edited_file_counts_at_once(tmp_path):
    path = tmp_path / "chkcon_whitelist.conf"
    read = file_reader(path)
    path.write_text("192.0.2.7\n")
    before = parse(read()).allows("192.0.2.8")

    path.write_text("192.0.2.8\n")

    assert (before, parse(read()).allows("192.0.2.8")) == (False, True)


def test_a_missing_file_and_one_that_is_no_text_are_bad_lists(tmp_path):
    path = tmp_path / "chkcon_whitelist.conf"
    with pytest.raises(BadAllowList, match="cannot read"):
        file_reader(path)()

    path.write_bytes(b"192.0.2.7\n\xff\xfe\n")
    with pytest.raises(BadAllowList, match="cannot read"):
        file_reader(path)()
