"""The fake keeps the same promises as the real modules, or tests against it prove nothing."""

import pytest

from provisioning.contract import RemoteNotFound, RemoteUnavailable, ServerAccess, ServiceRef
from tests.fakes import FakeModule

REF = ServiceRef(service_id=7, client_id=1)


@pytest.fixture
def module(vendor):
    return FakeModule(ServerAccess(1, "http://127.0.0.1:9", {}))


def test_creating_twice_makes_one_account(module, vendor):
    first = module.create(REF, {"size": 5})

    assert module.create(REF, {"size": 5}) == first
    assert vendor.names() == ["fake-service7"]


def test_a_lost_reply_leaves_the_account_behind(module, vendor):
    vendor.lose_replies = 1

    with pytest.raises(RemoteUnavailable):
        module.create(REF, {"size": 5})

    assert vendor.names() == ["fake-service7"]


def test_what_is_not_there_cannot_change_but_may_be_deleted_again(module, vendor):
    with pytest.raises(RemoteNotFound):
        module.resize("acc-9", {"size": 6})

    assert module.terminate("acc-9") is None


def test_suspending_changes_nothing_else(module, vendor):
    created = module.create(REF, {"size": 5})

    suspended = module.suspend(created.remote_id)

    assert suspended.suspended
    assert module.unsuspend(created.remote_id) == created
