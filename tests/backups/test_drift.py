"""When a datastore's size is a disagreement, and when it is the vendor's good right."""

from backups.module import RemoteBackupsModule
from provisioning.contract import RemoteState


def state(size_gb: int, *, autoscaled: bool) -> RemoteState:
    details = {"autoscaling_enabled": autoscaled}
    return RemoteState("d1", "b1", {"size_gb": size_gb}, details=details)


def test_a_size_somebody_else_set_is_not_as_wished():
    assert not RemoteBackupsModule.is_as_wished({"size_gb": 500}, state(700, autoscaled=False))


def test_a_size_the_autoscaler_chose_is_as_wished():
    assert RemoteBackupsModule.is_as_wished({"size_gb": 500}, state(700, autoscaled=True))


def test_the_wished_size_is_as_wished():
    assert RemoteBackupsModule.is_as_wished({"size_gb": 500}, state(500, autoscaled=False))
