"""The module against the sandbox over real HTTP: the shared promises, then its own."""

from dataclasses import replace

import pytest

from backups.module import RemoteBackupsModule
from backups.sandbox import DEMO_TOKEN
from provisioning.contract import (
    Check,
    CredentialsRejected,
    RemoteNotFound,
    RemoteRejected,
    RemoteUnavailable,
    ServiceRef,
)
from tests.contract.product_module import ProductModuleContract

REF = ServiceRef(service_id=456, client_id=123)
NAME = "backup-client123-service456"


def spec(size_gb):
    return {"size_gb": size_gb, "name_prefix": "backup"}


def sizes(remote):
    return [(one["friendly"], one["size"] // 10**9) for one in remote.datastores()]


class TestContract(ProductModuleContract):
    @pytest.fixture
    def module_class(self):
        return RemoteBackupsModule

    @pytest.fixture
    def spec(self):
        return {"size_gb": 500, "name_prefix": "backup"}

    @pytest.fixture
    def changed_spec(self):
        return {"size_gb": 700, "name_prefix": "backup"}

    @pytest.fixture
    def product_settings(self):
        return {"size_gb": 500, "min_size_gb": 500, "max_size_gb": 2000, "name_prefix": "backup"}

    @pytest.fixture
    def answers(self):
        return {"size_gb": "600"}

    @pytest.fixture
    def changes(self):
        return {
            "speed_mbit": 100,
            "autoscaling_enabled": True,
            "autoscaling_scale_up_only": True,
            "autoscaling_lower_percent": 40,
            "autoscaling_upper_percent": 90,
            "prune": {
                "keep_last": 0,
                "keep_hourly": 24,
                "keep_daily": 14,
                "keep_weekly": 0,
                "keep_monthly": 12,
                "keep_yearly": 1,
                "schedule": "mon..fri 22:30",
            },
        }


# --- Creating ---


def test_a_datastore_is_named_after_client_and_service(module, remote):
    state = module.create(REF, spec(500))

    assert state.name == NAME
    assert sizes(remote) == [(NAME, 500)]
    assert remote.requests() == [
        "GET /reseller/datastore",
        "POST /reseller/datastore",
        f"GET /reseller/datastore/{state.remote_id}",
    ]


def test_a_lost_reply_does_not_buy_a_second_datastore(module, remote):
    remote.fault("lose_reply", method="POST")
    with pytest.raises(RemoteUnavailable):
        module.create(REF, spec(500))

    state = module.create(REF, spec(500))

    assert [one["_id"] for one in remote.datastores()] == [state.remote_id]
    assert remote.requests().count("POST /reseller/datastore") == 1


def test_an_adopted_datastore_gets_the_size_that_is_wished_now(module, remote):
    remote.fault("lose_reply", method="POST")
    with pytest.raises(RemoteUnavailable):
        module.create(REF, spec(500))

    state = module.create(REF, spec(800))

    assert state.spec == spec(800)
    assert sizes(remote) == [(NAME, 800)]


def test_a_500_before_the_vendor_created_it_leads_to_one_datastore(module, remote):
    remote.fault("500", method="POST")
    with pytest.raises(RemoteUnavailable):
        module.create(REF, spec(500))
    assert remote.datastores() == []

    module.create(REF, spec(500))

    assert sizes(remote) == [(NAME, 500)]


def test_a_gateway_page_instead_of_the_new_datastore_is_not_a_success(module, remote):
    remote.fault("html200", method="POST")

    with pytest.raises(RemoteUnavailable, match="not JSON"):
        module.create(REF, spec(500))

    assert remote.datastores() == []


def test_two_datastores_of_one_name_are_a_question_for_staff(module, client, remote):
    ids = sorted(client.create_datastore(NAME, size_gb=500) for _ in range(2))

    with pytest.raises(RemoteRejected) as caught:
        module.create(REF, spec(500))

    assert str(caught.value) == f"2 datastores are called {NAME}: {ids[0]}, {ids[1]}."
    assert remote.requests().count("POST /reseller/datastore") == 2


def test_a_name_that_only_begins_alike_is_another_service(module, client, remote):
    client.create_datastore(NAME + "7", size_gb=500)

    state = module.create(REF, spec(600))

    assert sizes(remote) == [(NAME + "7", 500), (NAME, 600)]
    assert state.name == NAME


@pytest.mark.parametrize(
    ("size_gb", "sentence"),
    [
        (499, "499 GB is too small: the smallest size is 500 GB."),
        (-500, "-500 GB is too small: the smallest size is 500 GB."),
        (0, "0 GB is too small: the smallest size is 500 GB."),
        (550, "The size goes in steps of 100 GB: 500 or 600 GB, not 550 GB."),
        (10_100, "10100 GB is too large: the largest size is 10000 GB."),
        (500_000_000_000, "500000000000 GB is too large: the largest size is 10000 GB."),
        (600.0, "The size must be a whole number of GB, not 600.0."),
        (True, "The size must be a whole number of GB, not True."),
        ("600", "The size must be a whole number of GB, not '600'."),
        (None, "The size must be a whole number of GB, not None."),
    ],
)
def test_a_size_the_vendor_does_not_sell_is_refused_before_anything_is_sent(
    module, remote, size_gb, sentence
):
    for call in (
        lambda: module.create(REF, spec(size_gb)),
        lambda: module.resize("x", spec(size_gb)),
    ):
        with pytest.raises(RemoteRejected) as caught:
            call()

        assert str(caught.value) == sentence
    assert remote.requests() == []


@pytest.mark.parametrize("size_gb", [500, 600, 10_000])
def test_a_size_the_vendor_sells_is_created(module, size_gb):
    assert module.create(REF, spec(size_gb)).spec == spec(size_gb)


# --- What a state says ---


def test_a_state_has_what_a_client_needs_to_connect(module, remote):
    state = module.create(REF, spec(500))

    (raw,) = remote.datastores()
    assert state.credentials == {
        "host": "fra1-1.sandbox.example",
        "port": 8007,
        "username": raw["datastoreUser"],
        "password": raw["datastorePassword"],
        "datastore": raw["_id"],
        "fingerprint": raw["server"]["fingerprint"],
    }
    assert raw["datastoreUser"].endswith("@pbs")


def test_the_details_tell_how_full_it_is(module, remote):
    created = module.create(REF, spec(500))
    remote.use(created.remote_id, 312)

    assert module.describe(created.remote_id).details == {
        "used_bytes": 312_000_000_000,
        "size_bytes": 500_000_000_000,
        "is_on_grid": True,
        "speed_mbit": 500,
        "autoscaling_enabled": False,
        "autoscaling_scale_up_only": False,
        "autoscaling_lower_percent": 70,
        "autoscaling_upper_percent": 80,
        "prune": {
            "keep_last": 3,
            "keep_hourly": 0,
            "keep_daily": 7,
            "keep_weekly": 4,
            "keep_monthly": 0,
            "keep_yearly": 0,
            "schedule": "Mon,Thu 0,12:00",
        },
        "ip": "203.0.113.10",
        "ip6": "2001:db8::10",
    }


def test_a_size_off_the_grid_is_shown_exactly_and_never_equals_a_wish(module, remote):
    created = module.create(REF, spec(500))
    remote.fault("off_grid", method="GET")

    state = module.describe(created.remote_id)

    assert state.spec == {"size_gb": "536.870912", "name_prefix": "backup"}
    assert RemoteBackupsModule.summarise(state.spec) == "536.870912 GB"
    assert state.details["is_on_grid"] is False


def test_a_datastore_made_by_hand_is_listed_too(module, client):
    by_hand = client.create_datastore("archive", size_gb=900)

    (state,) = module.list_accounts()

    assert (state.remote_id, state.name) == (by_hand, "archive")
    assert state.spec == {"size_gb": 900, "name_prefix": ""}


# --- Resizing ---


def test_a_resize_below_the_used_space_is_refused_with_the_smallest_size(module, remote):
    created = module.create(REF, spec(1000))
    remote.use(created.remote_id, "612.3")

    with pytest.raises(RemoteRejected) as caught:
        module.resize(created.remote_id, spec(600))

    assert str(caught.value) == "612.3 GB are in use: the smallest possible size is 700 GB."
    assert sizes(remote) == [(NAME, 1000)]
    assert module.resize(created.remote_id, spec(700)).spec == spec(700)


def test_a_resize_sends_the_other_settings_as_they_are_now(module, client, remote):
    created = module.create(REF, spec(500))
    client.update_datastore(
        created.remote_id, speed_mbit=250, autoscaling_enabled=True, autoscaling_lower_percent=40
    )

    module.resize(created.remote_id, spec(600))

    (raw,) = remote.datastores()
    assert (raw["size"], raw["speed"], raw["autoscalingEnabled"]) == (600 * 10**9, 250, True)
    assert (raw["autoscalingLowerThreshold"], raw["autoscalingUpperThreshold"]) == (40, 80)


def test_a_lost_reply_to_a_resize_is_repeated_without_a_second_change(module, remote):
    created = module.create(REF, spec(500))
    remote.fault("lose_reply", method="PATCH")
    with pytest.raises(RemoteUnavailable):
        module.resize(created.remote_id, spec(600))

    state = module.resize(created.remote_id, spec(600))

    assert state.spec == spec(600)
    assert [request.split()[0] for request in remote.requests()].count("PATCH") == 1


# --- Ending ---


def test_a_lost_reply_to_a_delete_ends_well(module, remote):
    created = module.create(REF, spec(500))
    remote.fault("lose_reply", method="DELETE")
    with pytest.raises(RemoteUnavailable):
        module.terminate(created.remote_id)

    module.terminate(created.remote_id)

    assert remote.datastores() == []


def test_a_datastore_that_disappeared_is_not_found(module, remote):
    created = module.create(REF, spec(500))
    remote.remove(created.remote_id)

    with pytest.raises(RemoteNotFound):
        module.describe(created.remote_id)
    with pytest.raises(RemoteNotFound):
        module.resize(created.remote_id, spec(600))


def test_what_the_vendor_cannot_do_is_said(module):
    for call, sentence in [
        (module.suspend, "remote-backups.com cannot suspend a datastore."),
        (module.unsuspend, "remote-backups.com cannot suspend a datastore, so none is."),
        (module.change_password, "remote-backups.com cannot change a datastore's password."),
    ]:
        with pytest.raises(RemoteRejected) as caught:
            call("any")

        assert str(caught.value) == sentence


# --- The connection test ---


def test_a_good_connection_says_what_it_saw(module, sandbox):
    module.create(REF, spec(500))
    port = sandbox.url.rpartition(":")[2]

    assert module.test_connection() == [
        Check("Address", True, f"127.0.0.1, port {port}"),
        Check("Connection", True, f"127.0.0.1 answers on port {port}"),
        Check("API", True, "The API answers."),
        Check("Token", True, "The token is accepted."),
        Check("Datastores", True, "1 in this account."),
    ]


def failure(access):
    checks = RemoteBackupsModule(access).test_connection()
    assert all(check.ok for check in checks[:-1])
    return checks[-1].name, checks[-1].message


@pytest.mark.parametrize(
    "base_url", ["", "api.remote-backups.com", "ftp://127.0.0.1", "http://[", "http://h:99999"]
)
def test_what_is_no_address_is_the_first_layer_to_fail(access, base_url):
    assert failure(replace(access, base_url=base_url)) == (
        "Address",
        f"{base_url!r} is not a web address.",
    )


def test_a_wrong_token_fails_at_the_token(access):
    wrong = replace(access, credentials={"token": "wrong-token"})

    assert failure(wrong) == (
        "Token",
        "remote-backups.com refused the API token (GET /reseller/datastore: 401 Unauthorized).",
    )


def test_another_web_site_at_the_address_fails_at_the_api(access, remote):
    remote.fault("html200")

    name, message = failure(access)

    assert name == "API"
    assert message.startswith("Is the address right? GET /reseller/datastore: the answer is not")


def test_a_wrong_path_in_the_address_fails_at_the_api(access):
    elsewhere = replace(access, base_url=access.base_url + "/v1")

    assert failure(elsewhere) == (
        "API",
        "Is the address right? GET /reseller/datastore: 404 Cannot GET /v1/reseller/datastore",
    )


def test_an_outage_fails_at_the_api_without_doubting_the_address(access, remote):
    remote.fault("503")

    assert failure(access) == ("API", "GET /reseller/datastore: 503 Service Unavailable")


def test_a_token_with_a_line_break_is_refused_before_it_is_sent(access, remote):
    broken = replace(access, credentials={"token": f"{DEMO_TOKEN}\n"})

    with pytest.raises(CredentialsRejected, match="line break") as caught:
        RemoteBackupsModule(broken).list_accounts()

    assert DEMO_TOKEN not in str(caught.value)
    assert remote.requests() == []
