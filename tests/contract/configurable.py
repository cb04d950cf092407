"""The promises of `provisioning.contract.Configurable`, part of the suite of every module.

A module without `Capability.CONFIGURE` has none of its verbs; the other tests are then empty.
"""

from collections.abc import Mapping
from typing import Any

import pytest

from provisioning.contract import Capability, RemoteNotFound, RemoteRejected

UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"


class ConfigurableContract:
    @pytest.fixture
    def changes(self) -> Mapping[str, Any]:
        """Settings unlike those of a new object; only modules that have settings give some."""
        return {}

    def test_a_module_with_settings_can_change_them_and_no_other_can(self, module_class):
        has_settings = Capability.CONFIGURE in module_class.capabilities

        assert callable(getattr(module_class, "check_changes", None)) == has_settings
        assert callable(getattr(module_class, "configure", None)) == has_settings

    def test_settings_become_what_was_wished_and_nothing_else_changes(
        self, module, exchanges, ref, spec, changes
    ):
        if Capability.CONFIGURE not in module.capabilities:
            return
        module.check_changes(changes)
        created = module.create(ref, spec)
        assert {**created.details, **changes} != dict(created.details)

        configured = module.configure(created.remote_id, changes)
        exchanges.clear()
        again = module.configure(created.remote_id, changes)

        assert dict(configured.details) == {**created.details, **changes}
        assert dict(configured.spec) == dict(spec)
        assert dict(again.details) == dict(configured.details)
        assert {exchange.action.split()[0] for exchange in exchanges} <= {"GET"}

    def test_configuring_what_is_gone_is_not_found(self, module, changes):
        if Capability.CONFIGURE not in module.capabilities:
            return
        with pytest.raises(RemoteNotFound):
            module.configure(UNKNOWN_ID, changes)

    def test_an_unknown_setting_is_refused_before_anything_is_sent(self, module, exchanges):
        if Capability.CONFIGURE not in module.capabilities:
            return
        with pytest.raises(RemoteRejected):
            module.check_changes({"no_such_setting": 1})
        with pytest.raises(RemoteRejected):
            module.configure(UNKNOWN_ID, {"no_such_setting": 1})
        assert exchanges == []
