"""The promises of `provisioning/contract.py` as tests; every module passes them.

Subclass `ProductModuleContract` in the tests of a module and give it, as fixtures:

- `access`: ServerAccess to a sandbox that holds nothing yet (its `record` is replaced),
- `module_class`: the class under test,
- `spec`, `changed_spec`: what a service should be, and what it should become,
- `product_settings`, `answers`: a product's settings, and what a client answers when ordering,
- `changes`, if it has `Capability.CONFIGURE`: settings unlike those of a new object.

What a module can do is read from its `capabilities`; what it cannot, it must refuse.
"""

import json
import re
import socket
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from django import forms

from provisioning.contract import (
    Capability,
    CredentialsRejected,
    Exchange,
    Metric,
    ProductModule,
    RemoteNotFound,
    RemoteRejected,
    RemoteUnavailable,
    ServerAccess,
    ServiceRef,
)
from tests.contract.configurable import UNKNOWN_ID, ConfigurableContract

SECRET_NAME = re.compile(r"password|secret|token", re.I)


class ProductModuleContract(ConfigurableContract):
    @pytest.fixture
    def exchanges(self) -> list[Exchange]:
        """What the module reported for the module log, in order."""
        return []

    @pytest.fixture
    def module(
        self,
        module_class: type[ProductModule],
        access: ServerAccess,
        exchanges: list[Exchange],
    ) -> ProductModule:
        return module_class(replace(access, record=exchanges.append))

    @pytest.fixture
    def locked_out(self, module_class: type[ProductModule], access: ServerAccess) -> ProductModule:
        """The module with credentials the other side does not know."""
        wrong = {key: "not-the-right-one" for key in access.credentials}
        return module_class(replace(access, credentials=wrong))

    @pytest.fixture
    def cut_off(self, module_class: type[ProductModule], access: ServerAccess) -> ProductModule:
        """The module with a server that does not answer."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        return module_class(replace(access, base_url=f"http://127.0.0.1:{port}"))

    @pytest.fixture
    def ref(self) -> ServiceRef:
        return ServiceRef(service_id=456, client_id=123, label="first")

    @pytest.fixture
    def other_ref(self) -> ServiceRef:
        return ServiceRef(service_id=4567, client_id=123, label="second")

    # --- What it is ---

    def test_the_key_is_a_slug_and_the_name_is_for_people(self, module_class):
        assert re.fullmatch(r"[a-z][a-z0-9_]*", module_class.key)
        assert module_class.name.strip()

    def test_the_capabilities_are_known_ones(self, module_class):
        assert module_class.capabilities <= set(Capability)

    def test_a_metered_module_names_its_meters_and_no_other_does(self, module_class):
        is_metered = Capability.METERED in module_class.capabilities

        assert bool(module_class.metrics) == is_metered
        assert all(isinstance(metric, Metric) for metric in module_class.metrics)

    def test_a_metered_module_can_turn_usage_into_amounts(self, module_class):
        is_metered = Capability.METERED in module_class.capabilities

        assert callable(getattr(module_class, "collect_usage", None)) == is_metered
        assert callable(getattr(module_class, "usage_charged", None)) == is_metered

    def test_staff_can_fill_in_forms_for_products_and_servers(self, module_class):
        assert issubclass(module_class.settings_form, forms.Form)
        assert issubclass(module_class.server_form, forms.Form)

    def test_the_product_settings_come_out_of_their_form_as_json(
        self, module_class, product_settings
    ):
        form = module_class.settings_form(dict(product_settings))

        assert form.errors == {}
        assert json.loads(json.dumps(form.cleaned_data)) == form.cleaned_data

    def test_the_server_form_asks_for_what_the_module_reads(self, module_class, access):
        form = module_class.server_form(dict(access.credentials))

        assert form.errors == {}
        assert form.cleaned_data == access.credentials

    # --- What a client orders ---

    def test_an_order_becomes_a_spec_the_product_allows(
        self, module_class, product_settings, answers
    ):
        form = module_class.order_form(product_settings)(dict(answers))
        assert form.errors == {}

        spec = module_class.spec_for(product_settings, form.cleaned_data)

        module_class.check_spec(product_settings, spec)
        assert json.loads(json.dumps(dict(spec))) == dict(spec)

    def test_the_specs_of_this_suite_are_ones_the_product_allows(
        self, module_class, product_settings, spec, changed_spec
    ):
        module_class.check_spec(product_settings, spec)
        module_class.check_spec(product_settings, changed_spec)

    def test_a_spec_can_be_said_in_a_few_words(self, module_class, spec, changed_spec):
        assert 0 < len(module_class.summarise(spec)) <= 60
        assert module_class.summarise(spec) != module_class.summarise(changed_spec)

    # --- Creating ---

    def test_what_is_created_is_what_was_wished(self, module, ref, spec):
        state = module.create(ref, spec)

        assert state.remote_id
        assert state.name
        assert dict(state.spec) == dict(spec)
        assert not state.suspended

    def test_creating_twice_makes_one_remote_object(self, module, ref, spec):
        first = module.create(ref, spec)

        again = module.create(ref, spec)

        assert again.remote_id == first.remote_id
        assert credentials(again) == credentials(first)
        assert remote_ids(module) == [first.remote_id]

    def test_creating_again_with_another_wish_adopts_and_changes(
        self, module, ref, spec, changed_spec
    ):
        first = module.create(ref, spec)

        again = module.create(ref, changed_spec)

        assert again.remote_id == first.remote_id
        assert dict(again.spec) == dict(changed_spec)

    def test_two_services_never_share_a_remote_object(self, module, ref, other_ref, spec):
        first, second = module.create(ref, spec), module.create(other_ref, spec)

        assert first.remote_id != second.remote_id
        assert first.name != second.name
        assert remote_ids(module) == sorted([first.remote_id, second.remote_id])

    def test_a_client_gets_credentials_to_connect_with(self, module, ref, spec):
        state = module.create(ref, spec)

        assert state.credentials
        assert json.loads(json.dumps(credentials(state))) == credentials(state)

    def test_the_details_are_plain_and_hold_no_secret(self, module, ref, spec):
        state = module.create(ref, spec)

        written = json.dumps(dict(state.details))
        assert [secret for secret in secrets_in(state.credentials) if secret in written] == []

    def test_the_moment_of_creation_says_its_offset(self, module, ref, spec):
        created_at = module.create(ref, spec).created_at

        assert created_at is None or created_at.utcoffset() is not None

    # --- Looking ---

    def test_describing_shows_what_creating_returned(self, module, ref, spec):
        created = module.create(ref, spec)

        described = module.describe(created.remote_id)

        assert (described.remote_id, described.name) == (created.remote_id, created.name)
        assert dict(described.spec) == dict(created.spec)
        assert described.suspended == created.suspended

    def test_describing_what_was_never_there_is_not_found(self, module):
        with pytest.raises(RemoteNotFound):
            module.describe(UNKNOWN_ID)

    def test_the_list_shows_what_was_created(self, module, ref, spec):
        created = module.create(ref, spec)

        listed = module.list_accounts()

        assert [(one.remote_id, one.name, dict(one.spec)) for one in listed] == [
            (created.remote_id, created.name, dict(created.spec))
        ]

    def test_the_list_of_an_empty_server_is_empty(self, module):
        assert module.list_accounts() == []

    # --- Changing ---

    def test_a_resize_becomes_what_was_wished(self, module, ref, spec, changed_spec):
        created = module.create(ref, spec)
        if Capability.RESIZE not in module.capabilities:
            with pytest.raises(RemoteRejected):
                module.resize(created.remote_id, changed_spec)
            return

        resized = module.resize(created.remote_id, changed_spec)

        assert resized.remote_id == created.remote_id
        assert dict(resized.spec) == dict(changed_spec)
        assert dict(module.describe(created.remote_id).spec) == dict(changed_spec)

    def test_a_resize_to_what_stands_only_reads(self, module, exchanges, ref, spec):
        created = module.create(ref, spec)
        if Capability.RESIZE not in module.capabilities:
            return
        exchanges.clear()

        resized = module.resize(created.remote_id, spec)

        assert dict(resized.spec) == dict(spec)
        assert {exchange.action.split()[0] for exchange in exchanges} <= {"GET"}

    def test_a_resize_leaves_the_neighbours_alone(self, module, ref, other_ref, spec, changed_spec):
        created, neighbour = module.create(ref, spec), module.create(other_ref, spec)
        if Capability.RESIZE not in module.capabilities:
            return

        module.resize(created.remote_id, changed_spec)

        assert dict(module.describe(neighbour.remote_id).spec) == dict(spec)

    def test_resizing_what_is_gone_is_not_found(self, module, changed_spec):
        if Capability.RESIZE not in module.capabilities:
            return
        with pytest.raises(RemoteNotFound):
            module.resize(UNKNOWN_ID, changed_spec)

    def test_suspending_switches_off_and_unsuspending_on_again(self, module, ref, spec):
        created = module.create(ref, spec)
        if Capability.SUSPEND not in module.capabilities:
            assert_refused(module.suspend, module.unsuspend, remote_id=created.remote_id)
            assert not module.describe(created.remote_id).suspended
            return

        suspended = [module.suspend(created.remote_id), module.suspend(created.remote_id)]
        seen = module.describe(created.remote_id)
        restored = [module.unsuspend(created.remote_id), module.unsuspend(created.remote_id)]

        assert [state.suspended for state in suspended] == [True, True]
        assert seen.suspended
        assert [state.suspended for state in restored] == [False, False]
        assert dict(restored[-1].spec) == dict(spec)
        described = module.describe(created.remote_id)
        assert not described.suspended
        assert credentials(described) == credentials(created)

    def test_a_new_password_replaces_the_old_one(self, module, ref, spec):
        created = module.create(ref, spec)
        if Capability.CHANGE_PASSWORD not in module.capabilities:
            assert_refused(module.change_password, remote_id=created.remote_id)
            assert credentials(module.describe(created.remote_id)) == credentials(created)
            return

        changed = module.change_password(created.remote_id)

        assert changed.remote_id == created.remote_id
        assert set(secrets_in(changed.credentials)).isdisjoint(secrets_in(created.credentials))

    # --- Ending ---

    def test_what_is_terminated_is_gone(self, module, ref, other_ref, spec):
        created, neighbour = module.create(ref, spec), module.create(other_ref, spec)

        module.terminate(created.remote_id)

        with pytest.raises(RemoteNotFound):
            module.describe(created.remote_id)
        assert remote_ids(module) == [neighbour.remote_id]

    def test_terminating_what_is_gone_is_a_success(self, module, ref, spec):
        created = module.create(ref, spec)
        module.terminate(created.remote_id)

        module.terminate(created.remote_id)

        assert module.list_accounts() == []

    # --- When something is wrong ---

    def test_a_working_connection_passes_every_layer(self, module):
        checks = module.test_connection()

        assert len(checks) > 1
        assert [check for check in checks if not check.ok] == []

    def test_the_first_broken_layer_ends_the_connection_test(self, locked_out, cut_off):
        for module in (locked_out, cut_off):
            oks = [check.ok for check in module.test_connection()]

            assert oks == [True] * (len(oks) - 1) + [False]

    def test_refused_credentials_are_told_apart(self, locked_out, ref, spec):
        with pytest.raises(CredentialsRejected):
            locked_out.create(ref, spec)
        with pytest.raises(CredentialsRejected):
            locked_out.list_accounts()

    def test_a_server_that_does_not_answer_may_be_asked_again(self, cut_off, ref, spec):
        with pytest.raises(RemoteUnavailable):
            cut_off.create(ref, spec)
        with pytest.raises(RemoteUnavailable):
            cut_off.describe(UNKNOWN_ID)

    def test_every_exchange_is_reported_without_its_secrets(
        self, module, access, exchanges, ref, spec
    ):
        state = module.create(ref, spec)
        module.describe(state.remote_id)
        module.list_accounts()
        module.terminate(state.remote_id)

        methods = {exchange.action.split()[0] for exchange in exchanges}
        assert {"GET", "DELETE"} <= methods and methods & {"POST", "PUT"}
        assert all(exchange.status and exchange.duration_ms >= 0 for exchange in exchanges)
        secrets = [*secrets_in(state.credentials), *access.credentials.values()]
        written = repr(exchanges)
        assert [secret for secret in secrets if secret in written] == []


def remote_ids(module: ProductModule) -> list[str]:
    return [state.remote_id for state in module.list_accounts()]


def credentials(state: Any) -> dict[str, Any]:
    return dict(state.credentials)


def secrets_in(value: Any, *, named: bool = False) -> list[str]:
    """Every text under a key that sounds secret, however deep."""
    if isinstance(value, Mapping):
        return [
            secret
            for key, inner in value.items()
            for secret in secrets_in(inner, named=named or bool(SECRET_NAME.search(str(key))))
        ]
    if isinstance(value, list | tuple):
        return [secret for inner in value for secret in secrets_in(inner, named=named)]
    return [value] if named and isinstance(value, str) and value else []


def assert_refused(*calls: Any, remote_id: str) -> None:
    for call in calls:
        with pytest.raises(RemoteRejected):
            call(remote_id)
