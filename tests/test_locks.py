"""Row locks leave alone who only refers to the row.

A plain `select_for_update` on a client makes every insert of an invoice, an order or a
payment of that client wait, in an order nobody wrote down: that is how deadlocks come.
"""

import re

from tests.settings import ROOT

PLAIN = re.compile(r"select_for_update\((?!.*no_key=True)")


def test_every_row_lock_is_a_no_key_lock():
    files = [
        f
        for p in ("billing_portal", "provisioning", "pbx", "backups")
        for f in sorted((ROOT / p).rglob("*.py"))
    ]

    found = [
        f"{file.relative_to(ROOT)}:{number}: {line.strip()}"
        for file in files
        for number, line in enumerate(file.read_text().splitlines(), start=1)
        if PLAIN.search(line)
    ]

    assert found == []
