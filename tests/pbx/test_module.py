"""The module against the sandbox over real HTTP: the shared promises, then its own."""

from dataclasses import replace

import pytest

from pbx.module import FusionPbxModule
from provisioning.contract import (
    Check,
    RemoteNotFound,
    RemoteRejected,
    RemoteUnavailable,
    ServiceRef,
)
from tests.contract.product_module import ProductModuleContract

REF = ServiceRef(service_id=456, client_id=123)
SETTINGS = {
    "extensions": 5,
    "max_extensions": 20,
    "first_extension": 1001,
    "domain_suffix": "pbx.example",
    "tariff": "standard",
}


def spec(extensions, **changes):
    wish = {
        "label": "acme",
        "extensions": extensions,
        "first_extension": 1001,
        "domain_suffix": "pbx.example",
    }
    return wish | changes


def numbers(state):
    return [phone["number"] for phone in state.credentials["extensions"]]


def passwords(state):
    return {phone["number"]: phone["password"] for phone in state.credentials["extensions"]}


class TestContract(ProductModuleContract):
    @pytest.fixture
    def module_class(self):
        return FusionPbxModule

    @pytest.fixture
    def spec(self):
        return spec(3)

    @pytest.fixture
    def changed_spec(self):
        return spec(5)

    @pytest.fixture
    def product_settings(self):
        return SETTINGS

    @pytest.fixture
    def answers(self):
        return {"label": "Acme GmbH", "extensions": "4"}


# --- Creating ---


def test_a_service_becomes_a_tenant_with_its_extensions(module):
    state = module.create(REF, spec(3))

    assert state.name == "acme-456.pbx.example"
    assert dict(state.spec) == spec(3)
    assert {key: value for key, value in state.credentials.items() if key != "extensions"} == {
        "domain": "acme-456.pbx.example",
        "proxy": "sip.example.net",
    }
    assert [
        (phone["number"], phone["name"], len(phone["password"]))
        for phone in state.credentials["extensions"]
    ] == [
        ("1001", "Extension 1001", 20),
        ("1002", "Extension 1002", 20),
        ("1003", "Extension 1003", 20),
    ]
    assert [one["number"] for one in state.details["extensions"]] == ["1001", "1002", "1003"]


def test_phones_register_at_the_server_unless_it_names_a_proxy(access):
    module = FusionPbxModule(replace(access, credentials={"token": "sandbox-token"}))

    assert module.create(REF, spec(1)).credentials["proxy"] == "127.0.0.1"


def test_a_lost_reply_does_not_make_a_second_tenant(module, remote):
    remote.fault("lose_reply", method="PUT")
    with pytest.raises(RemoteUnavailable):
        module.create(REF, spec(3))

    state = module.create(REF, spec(3))

    assert [one.remote_id for one in module.list_accounts()] == [state.remote_id]
    assert numbers(state) == ["1001", "1002", "1003"]


def test_an_attempt_that_broke_off_between_extensions_is_finished(module, remote):
    remote.fault("lose_reply", method="PUT", path="/extensions/")
    with pytest.raises(RemoteUnavailable):
        module.create(REF, spec(3))
    begun = module.list_accounts()[0]

    state = module.create(REF, spec(3))

    assert begun.spec["extensions"] == 1
    assert (state.remote_id, numbers(state)) == (begun.remote_id, ["1001", "1002", "1003"])


def test_another_tenants_domain_is_refused_and_nothing_is_made(module, agent):
    path = "/api/v1/tenants/22222222-2222-4222-8222-222222222222"
    agent.put(path, json={"domain": "acme-456.pbx.example"})

    with pytest.raises(RemoteRejected, match="belongs to another tenant"):
        module.create(REF, spec(3))

    assert [one.name for one in module.list_accounts()] == ["acme-456.pbx.example"]
    assert module.list_accounts()[0].spec["extensions"] == 0


# --- Changing ---


def test_more_extensions_keep_the_old_ones_as_they_are(module):
    created = module.create(REF, spec(2))

    resized = module.resize(created.remote_id, spec(4))

    assert numbers(resized) == ["1001", "1002", "1003", "1004"]
    assert passwords(resized).items() >= passwords(created).items()


def test_fewer_extensions_remove_the_highest_numbers(module):
    created = module.create(REF, spec(4))

    resized = module.resize(created.remote_id, spec(2))

    assert passwords(resized) == {
        number: password
        for number, password in passwords(created).items()
        if number in ("1001", "1002")
    }
    assert numbers(module.describe(created.remote_id)) == ["1001", "1002"]


def test_a_resize_fills_gaps_and_leaves_foreign_numbers(module, agent):
    created = module.create(REF, spec(3))
    base = f"/api/v1/tenants/{created.remote_id}/extensions/"
    agent.delete(base + created.details["extensions"][1]["id"])
    agent.put(base + "22222222-2222-4222-8222-222222222222", json={"number": "2001"})

    resized = module.resize(created.remote_id, spec(4))

    assert numbers(resized) == ["1001", "1002", "1003", "2001"]


def test_an_interrupted_resize_is_finished_by_the_next(module, remote):
    created = module.create(REF, spec(5))
    remote.fault("lose_reply", method="DELETE")
    with pytest.raises(RemoteUnavailable):
        module.resize(created.remote_id, spec(2))

    assert numbers(module.resize(created.remote_id, spec(2))) == ["1001", "1002"]


@pytest.mark.parametrize("change", [{"label": "other"}, {"domain_suffix": "other.example"}])
def test_a_tenant_cannot_be_renamed(module, change):
    created = module.create(REF, spec(2))

    with pytest.raises(RemoteRejected, match=r"acme-456\.pbx\.example cannot be renamed"):
        module.resize(created.remote_id, spec(2, **change))


def test_drift_is_visible_in_the_spec(module, agent):
    created = module.create(REF, spec(3))
    extension = created.details["extensions"][2]["id"]

    agent.delete(f"/api/v1/tenants/{created.remote_id}/extensions/{extension}")

    assert dict(module.describe(created.remote_id).spec) == spec(2)


def test_a_new_password_is_another_for_every_extension(module):
    created = module.create(REF, spec(3))

    changed = module.change_password(created.remote_id)

    old, new = passwords(created), passwords(changed)
    assert list(new) == list(old)
    assert [number for number in new if new[number] == old[number]] == []
    assert passwords(module.describe(created.remote_id)) == new


def test_a_tenant_we_did_not_name_is_listed_as_it_is(module, agent):
    path = "/api/v1/tenants/22222222-2222-4222-8222-222222222222"
    agent.put(path, json={"domain": "head-office.example"})

    assert [(one.name, dict(one.spec)) for one in module.list_accounts()] == [
        (
            "head-office.example",
            {
                "label": "head-office",
                "domain_suffix": "example",
                "extensions": 0,
                "first_extension": 0,
            },
        )
    ]


def test_terminating_at_a_wrong_address_is_not_taken_for_gone(module, access, sandbox):
    created = module.create(REF, spec(1))
    astray = FusionPbxModule(replace(access, base_url=sandbox.url + "/elsewhere"))

    with pytest.raises(RemoteUnavailable):
        astray.terminate(created.remote_id)

    assert module.describe(created.remote_id) == created


def test_a_job_without_a_remote_id_finds_nothing(module):
    with pytest.raises(RemoteNotFound):
        module.suspend("")


# --- Forms and specs ---


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("Acme GmbH", "acme-gmbh"),
        ("  Müller & Söhne  ", "muller-sohne"),
        ("UPPER_lower.9", "upper-lower-9"),
        ("x" * 60, "x" * 40),
        ("y" * 39 + " tail", "y" * 39),
    ],
)
def test_a_company_name_becomes_part_of_the_address(name, label):
    form = FusionPbxModule.order_form(SETTINGS)({"label": name, "extensions": 1})

    assert form.errors == {}
    assert form.cleaned_data["label"] == label


@pytest.mark.parametrize(
    ("answers", "complaint"),
    [
        (
            {"label": "株式会社", "extensions": 1},
            {"label": ["Use at least one letter from a to z, or a digit."]},
        ),
        ({"label": "acme", "extensions": 0}, {"extensions": ["A PBX has at least 1 extension."]}),
        (
            {"label": "acme", "extensions": 21},
            {"extensions": ["This product has at most 20 extensions; 21 were asked for."]},
        ),
    ],
)
def test_an_order_that_cannot_be_says_why(answers, complaint):
    form = FusionPbxModule.order_form(SETTINGS)(answers)

    assert form.errors == complaint


def test_the_order_form_offers_the_products_default():
    form = FusionPbxModule.order_form(SETTINGS)()

    assert form["extensions"].initial == 5
    assert 'max="20"' in str(form["extensions"])


@pytest.mark.parametrize(
    ("wish", "complaint"),
    [
        (spec(21), "This product has at most 20 extensions; 21 were asked for."),
        (spec(0), "A PBX has at least 1 extension."),
        (spec("5"), "The number of extensions must be a whole number."),
        (spec(True), "The number of extensions must be a whole number."),
        (
            spec(5, label="Acme GmbH"),
            "The company name must be made of lower-case letters, digits and hyphens,"
            " 40 characters at most.",
        ),
        (
            spec(5, domain_suffix="pbx"),
            "The domain suffix must be a host name such as pbx.example.net.",
        ),
        (spec(5, first_extension=1), "The first extension must be a number of 2 to 7 digits."),
    ],
)
def test_a_spec_that_cannot_be_says_why(wish, complaint):
    with pytest.raises(RemoteRejected) as caught:
        FusionPbxModule.check_spec(SETTINGS, wish)

    assert str(caught.value) == complaint


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (
            {"extensions": 21},
            {"extensions": ["At most 20, the largest number, can be offered."]},
        ),
        (
            {"first_extension": 990},
            {"first_extension": ["20 extensions from 990 on would not all have 3 digits."]},
        ),
        (
            {"domain_suffix": "pbx_1.example"},
            {"domain_suffix": ["Enter a host name such as pbx.example.net."]},
        ),
    ],
)
def test_product_settings_that_cannot_be_say_why(change, complaint):
    form = FusionPbxModule.settings_form(SETTINGS | change)

    assert form.errors == complaint


def test_a_spec_in_a_few_words():
    assert [FusionPbxModule.summarise(spec(n)) for n in (1, 5)] == ["1 extension", "5 extensions"]


# --- The connection test ---


def test_a_working_connection_shows_every_layer(module, sandbox):
    port = sandbox.url.rpartition(":")[2]

    assert module.test_connection() == [
        Check("Address", True, "127.0.0.1 is 127.0.0.1"),
        Check("TCP", True, f"port {port} is open"),
        Check("HTTP", True, "the agent answers"),
        Check("Allow-list", True, "API Access Granted: Whitelisted IP"),
        Check("Token", True, "FusionPBX 5.6.4-sandbox"),
        Check("Sample", True, "0 tenants can be read"),
    ]


@pytest.mark.parametrize("address", ["", "pbx", "ftp://pbx.example", "http://", "http://h:99999"])
def test_what_is_no_address_fails_the_first_layer(access, address):
    checks = FusionPbxModule(replace(access, base_url=address)).test_connection()

    assert [(check.name, check.ok) for check in checks] == [("Address", False)]


def test_somebody_elses_web_server_fails_at_http(module, remote):
    remote.fault("html200")

    checks = module.test_connection()

    assert [(check.name, check.ok) for check in checks] == [
        ("Address", True),
        ("TCP", True),
        ("HTTP", False),
    ]


def test_a_portal_not_on_the_allow_list_is_told_so(module, remote):
    remote.set_allow_list("192.0.2.7\n")

    last = module.test_connection()[-1]

    assert last == Check(
        "Allow-list",
        False,
        "API Access Denied: Only whitelisted IPs may access this endpoint.",
    )


def test_a_wrong_token_fails_at_its_layer(access):
    checks = FusionPbxModule(replace(access, credentials={"token": "wrong"})).test_connection()

    assert [(check.name, check.ok) for check in checks][-2:] == [
        ("Allow-list", True),
        ("Token", False),
    ]
    assert "refused the token" in checks[-1].message


def test_an_empty_token_is_not_an_exception(access):
    checks = FusionPbxModule(replace(access, credentials={"token": ""})).test_connection()

    assert (checks[-1].name, checks[-1].ok) == ("HTTP", False)
    assert "token is empty" in checks[-1].message
