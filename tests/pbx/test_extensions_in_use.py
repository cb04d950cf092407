"""A change of product takes no extension away that exists."""

import pytest

from pbx.module import FusionPbxModule
from provisioning.contract import RemoteRejected, RemoteState

SEEN = RemoteState("t-1", "acme", {}, details={"extensions": [{}, {}, {}]})


def test_extensions_that_exist_go_only_when_their_number_was_asked_to_shrink():
    with pytest.raises(RemoteRejected) as refusal:
        FusionPbxModule.check_change(456, {"extensions": 2}, SEEN, may_remove=False)

    assert str(refusal.value) == (
        "It has 3 extensions, and 2 would be left. Remove the ones you no longer need first."
    )


@pytest.mark.parametrize(("left", "may_remove"), [(2, True), (3, False), (4, False)])
def test_everything_else_is_allowed(left, may_remove):
    FusionPbxModule.check_change(456, {"extensions": left}, SEEN, may_remove=may_remove)
