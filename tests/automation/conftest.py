from collections.abc import Iterator
from typing import Any

import pytest

from tests import fakes


@pytest.fixture(autouse=True)
def vendor(settings: Any) -> Iterator[fakes.FakeVendor]:
    with fakes.installed(settings) as vendor:
        yield vendor
