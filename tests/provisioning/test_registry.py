"""Modules are found by key, from the settings and from installed packages."""

from importlib.metadata import EntryPoint

import pytest

from provisioning import registry
from provisioning.models import ModuleLog
from tests.factories import make_placement, make_server, make_service
from tests.fakes import FakeModule, PlainModule


def test_the_settings_name_the_built_in_modules(settings):
    registry.modules.cache_clear()

    assert sorted(registry.modules()) == sorted(settings.PORTAL_MODULES)


def test_a_module_is_known_by_the_key_the_settings_give_it():
    registry.modules.cache_clear()

    assert {key: cls.key for key, cls in registry.modules().items()} == {
        key: key for key in registry.modules()
    }


def test_an_unknown_key_says_so(vendor):
    with pytest.raises(registry.UnknownModule, match=r"There is no module called 'nope'\."):
        registry.module_class("nope")


def test_choices_are_sorted_by_name(vendor):
    assert registry.module_choices() == [("fake", "Fake vendor"), ("plain", "Plain vendor")]


def test_only_a_metered_module_is_a_usage_source(vendor):
    assert registry.usage_source("fake") is FakeModule
    assert registry.usage_source("plain") is None
    assert registry.usage_source("") is None


def test_an_installed_package_adds_a_module(vendor, monkeypatch):
    extra = EntryPoint("extra", "tests.fakes:PlainModule", "billing_portal.modules")
    monkeypatch.setattr(registry, "entry_points", lambda group: [extra])
    registry.modules.cache_clear()

    assert sorted(registry.modules()) == ["extra", "fake", "plain"]
    assert registry.module_class("extra") is PlainModule


def test_an_installed_package_cannot_replace_a_built_in_module(vendor, monkeypatch):
    usurper = EntryPoint("fake", "tests.fakes:PlainModule", "billing_portal.modules")
    monkeypatch.setattr(registry, "entry_points", lambda group: [usurper])
    registry.modules.cache_clear()

    assert registry.module_class("fake") is FakeModule


@pytest.mark.django_db
def test_a_connected_module_has_the_servers_address_and_credentials(vendor):
    server = make_server(base_url="https://box.example.net", credentials={"token": "t"})

    module = registry.connect(server)

    assert isinstance(module, FakeModule)
    assert (module.access.server_id, module.access.base_url) == (
        server.pk,
        "https://box.example.net",
    )
    assert module.access.credentials == {"token": "t"}


@pytest.mark.django_db
def test_every_exchange_goes_to_the_module_log_without_its_secrets(vendor):
    placement = make_placement(make_service())
    account = vendor.add("fake-service1", password="hunter2")

    module = registry.connect(placement.server, service_id=placement.service_id)
    module.describe(account.remote_id)

    entry = ModuleLog.objects.get()
    assert (entry.server, entry.service_id, entry.job) == (
        placement.server,
        placement.service_id,
        None,
    )
    assert (entry.action, entry.status, entry.duration_ms) == (
        f"describe {account.remote_id}",
        200,
        3,
    )
    assert entry.request == {"token": "***"}
    assert entry.response == {"name": "fake-service1", "password": "***"}
