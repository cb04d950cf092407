"""The rules of ARCHITECTURE.md that a machine can check, each reporting file and line.

An exemption names a rule and a file, and its reason.  One that no longer matches anything
fails too, so the list never outlives what it excuses.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.settings import ROOT

PACKAGES = ("billing_portal", "provisioning", "pbx", "backups")

LAYERS = [
    {"billing_portal.errors", "billing_portal.admin_csv"},
    {
        "billing_portal.calc",
        "billing_portal.encryption",
        "billing_portal.admin_print",
        "billing_portal.bulk_rows",
        "billing_portal.csv_rows",
        "billing_portal.custom_fields",
    },
    {"billing_portal.clock", "billing_portal.admin_frame"},
    {"billing_portal.accounts"},
    {"billing_portal.audit", "billing_portal.mail"},
    {"billing_portal.products", "billing_portal.clients"},
    {"billing_portal.promotions", "billing_portal.taxes"},
    {"billing_portal.services"},
    {"provisioning"},
    {"billing_portal.invoices", "pbx", "backups"},
    {
        "billing_portal.orders",
        "billing_portal.quotes",
        "billing_portal.billables",
        "billing_portal.payments",
        "billing_portal.automation",
        "billing_portal.recovery",
        "billing_portal.health",
    },
    {"billing_portal.workflows"},
    {"billing_portal.staff", "billing_portal.clientarea", "billing_portal.api"},
]
"""From the lowest up.  A package imports from the sets before its own, and from itself."""

WIRING = {f"billing_portal.{name}" for name in ("settings", "urls", "celery", "schedule")}
STARTERS = {"billing_portal.wsgi", "billing_portal.asgi"}
"""Started by a server, not imported; they and `manage.py` may import the wiring."""

NOUNS = [
    *("accounts", "audit", "mail", "clients", "products", "promotions", "taxes", "services"),
    *("invoices", "orders", "quotes", "billables", "payments"),
    *("automation", "recovery", "health"),
]
NOUN_FILES = {
    *("models", "states", "queries", "actions", "tasks", "admin", "forms", "apps"),
    *("management", "migrations", "templatetags"),
}
NOUN_EXTRAS = {
    "accounts/adapter": "what django-allauth asks",
    "services/changing": "giving a running service other terms",
    "services/cancelling": "wishes to end a service, and taking them back",
    "orders/changes": "writing changes of services down",
    "invoices/rules": "changing when and how invoices are made",
    "services/schedule": "taking back how far services are invoiced",
    "services/addons": "opening, starting and ending add-ons",
    "mail/capture_texts": "the mails about payments taken from stored methods",
    "mail/quote_texts": "the mails about quotes",
    "quotes/mailing": "the paper of a mail that delivers a quote",
    "quotes/pdf": "a quote on paper",
    "mail/service_texts": "the texts about changing and ending a service",
    "mail/wording": "what every mail has",
    "mail/defaults": "the texts of the built-in templates",
    "mail/delivery": "handing queued mails to the transport",
    "mail/papers": "what is attached to a mail when it leaves",
    "clients/notices": "writing to a client and its contacts",
    "products/rate_feed": "asking for the day's exchange rates",
    "products/rates": "exchange rates and converting by them",
    "taxes/ids": "VAT ids as each member state writes them",
    "taxes/places": "states and provinces by all their names",
    "taxes/rates": "published rates to start from",
    "taxes/supply": "whose tax is due, and why",
    "taxes/vies": "asking the EU's register of VAT ids",
    "products/metering": "prices of metered units as rules and as staff write them",
    "invoices/announcing": "telling clients of issued invoices",
    "invoices/amounts": "how amounts and days are written for people",
    "invoices/einvoice": "a document as EN 16931 sees it",
    "invoices/einvoice_checks": "what a document lacks to be an e-invoice",
    "invoices/einvoice_cii": "the e-invoice in CII: Factur-X",
    "invoices/einvoice_codes": "the code lists of EN 16931",
    "invoices/einvoice_files": "the e-invoice as a file, or why there is none",
    "invoices/einvoice_parties": "seller and buyer of an e-invoice",
    "invoices/einvoice_reading": "reading an e-invoice out of a document",
    "invoices/einvoice_ubl": "the e-invoice in UBL: XRechnung",
    "invoices/einvoice_xml": "what the two writers share",
    "invoices/drafting": "invoices written by hand, until they are published",
    "invoices/evidence": "what a charge follows from, for people",
    "invoices/guard": "an issued document refuses to change",
    "invoices/kinds": "what a line is for",
    "invoices/moving": "from one state to another, as the table of states allows",
    "invoices/mailing": "the papers of mails about invoices",
    "invoices/numbering": "gapless numbers",
    "invoices/tax_words": "a tax summary in words",
    "invoices/parties": "seller and buyer as documents keep them",
    "invoices/pdf": "invoices and credit notes on paper",
    "invoices/pdf_metadata": "what a printed document says about itself",
    "invoices/pdf_page": "the frame of every printed document",
    "invoices/pdf_parts": "the parts of a printed document",
    "invoices/crediting": "credit notes",
    "invoices/settling": "what settles an invoice and what opens it again",
    "payments/captures": "tries to take a balance from a stored method",
    "payments/methods": "cards and mandates clients left",
    "payments/contract": "what a gateway promises",
    "payments/credit": "the ledger of the clients' credit",
    "payments/signatures": "whether an event is the gateway's own",
    "payments/refunds": "money that goes back",
    "payments/registry": "which gateways are offered",
    "payments/gateways": "one file per way to pay",
}
"""Further files of a noun, each with what it is."""

PURE = ("billing_portal/calc/", "pbx/numbers.py", "pbx/rating.py")
PURE_IMPORTS = {
    *("bisect", "calendar", "collections", "dataclasses", "datetime", "decimal", "enum"),
    *("fractions", "functools", "itertools", "math", "re", "typing", "zoneinfo"),
    *("billing_portal.calc", "billing_portal.errors"),
    "babel.numbers",  # the table of currencies and their minor units
}

CLOCK_CALLS = re.compile(r"^(timezone|datetime|date|time|dt)\.(now|utcnow|today|localdate|time)$")
CLOCK_READERS = re.compile(
    r"/management/commands/|/tasks\.py$|/admin\.py$|^billing_portal/(clock|staff|clientarea|api)/"
)
MAX_LINES = 400
UNFINISHED = re.compile(r"\b(TOD[O]|FIXM[E])\b")

EXEMPTIONS = {
    ("clock", "provisioning/registry.py"): "the module log notes when each exchange happened",
    ("clock", "billing_portal/mail/delivery.py"): "mail leaves in this world's time",
    ("clock", "backups/sandbox.py"): "a vendor has a clock of its own",
    ("clock", "pbx/agent/app.py"): "runs on the PBX host, by that machine's clock",
    ("clock", "pbx/agent/sandbox_account.py"): "a stand-in for another machine, with its own clock",
    ("wildcard", "tests/settings.py"): "settings for the tests are all settings, with changes",
}
"""(rule, file) -> why it stands."""


@dataclass(frozen=True, slots=True)
class Finding:
    rule: str
    file: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.what}"


# --- The rules ----------------------------------------------------------------------------


def imports_point_down(root: Path) -> Iterator[Finding]:
    """Within the layers only; nothing of ours in a package no layer names."""
    height = {unit: level for level, units in enumerate(LAYERS) for unit in units}
    for file in sources(root):
        importer = unit_of(module_of(root, file))
        if importer in WIRING | STARTERS:
            continue
        for line, module in imports(root, file):
            imported = unit_of(module)
            if imported in (importer, "billing_portal") or module.split(".")[0] not in PACKAGES:
                continue
            if imported in WIRING:
                continue  # has a rule of its own
            if height.get(imported, len(LAYERS)) >= height.get(importer, -1):
                yield found("direction", root, file, line, f"{importer} imports {module}")


def wiring_is_not_imported(root: Path) -> Iterator[Finding]:
    for file in sources(root):
        if module_of(root, file) in WIRING | STARTERS:
            continue
        for line, module in imports(root, file):
            if any(module == name or module.startswith(f"{name}.") for name in WIRING | STARTERS):
                yield found("wiring", root, file, line, f"imports {module}")


def imports_stand_at_the_top(root: Path) -> Iterator[Finding]:
    for file in [*sources(root), *sources(root, "tests")]:
        for node in ast.walk(parsed(file)):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            for inner in ast.walk(node):
                if isinstance(inner, ast.Import | ast.ImportFrom):
                    yield found("top", root, file, inner.lineno, ast.unparse(inner))


def nothing_is_imported_by_wildcard(root: Path) -> Iterator[Finding]:
    for file in [*sources(root), *sources(root, "tests")]:
        for node in ast.walk(parsed(file)):
            if isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
                yield found("wildcard", root, file, node.lineno, ast.unparse(node))


def package_files_are_empty(root: Path) -> Iterator[Finding]:
    for file in [*sources(root), *sources(root, "tests")]:
        if file.name == "__init__.py" and file.read_text().strip():
            yield found("init", root, file, 1, "not empty")


def every_folder_is_a_package(root: Path) -> Iterator[Finding]:
    """Without it `tests/pbx` would shadow the real `pbx`."""
    for file in [*sources(root), *sources(root, "tests")]:
        if not (file.parent / "__init__.py").exists():
            yield found("package", root, file, 1, "its folder has no __init__.py")


def nothing_is_left_unfinished(root: Path) -> Iterator[Finding]:
    templates = [*(root / "templates").rglob("*.*")]
    for file in [*sources(root), *sources(root, "tests"), *templates]:
        for number, line in enumerate(file.read_text().splitlines(), start=1):
            if UNFINISHED.search(line):
                yield found("unfinished", root, file, number, line.strip())


def files_stay_short(root: Path) -> Iterator[Finding]:
    for file in [*sources(root), *sources(root, "tests")]:
        if (lines := len(file.read_text().splitlines())) > MAX_LINES:
            yield found("length", root, file, lines, f"over {MAX_LINES} lines")


def nouns_have_the_same_files(root: Path) -> Iterator[Finding]:
    for noun in NOUNS:
        for file in sorted((root / "billing_portal" / noun).glob("*")):
            if file.stem in NOUN_FILES or file.stem.startswith("__"):
                continue
            if f"{noun}/{file.stem}" not in NOUN_EXTRAS:
                yield found("names", root, file, 1, "not a file name of a noun")


def pure_files_import_nothing_impure(root: Path) -> Iterator[Finding]:
    for file in sources(root):
        if not str(file.relative_to(root)).startswith(PURE):
            continue
        for line, module in imports(root, file):
            if not any(module == name or module.startswith(f"{name}.") for name in PURE_IMPORTS):
                yield found("pure", root, file, line, f"imports {module}")


def the_clock_is_read_at_the_edges(root: Path) -> Iterator[Finding]:
    for file in sources(root):
        if CLOCK_READERS.search(str(file.relative_to(root))):
            continue
        for node in ast.walk(parsed(file)):
            if isinstance(node, ast.Call) and CLOCK_CALLS.match(call := ast.unparse(node.func)):
                yield found("clock", root, file, node.lineno, f"{call}()")
        for line, module in imports(root, file):
            if module.startswith("billing_portal.clock.reading"):
                yield found("clock", root, file, line, f"imports {module}")


RULES = [
    imports_point_down,
    wiring_is_not_imported,
    imports_stand_at_the_top,
    nothing_is_imported_by_wildcard,
    package_files_are_empty,
    every_folder_is_a_package,
    nothing_is_left_unfinished,
    files_stay_short,
    nouns_have_the_same_files,
    pure_files_import_nothing_impure,
    the_clock_is_read_at_the_edges,
]


# --- Reading the source -------------------------------------------------------------------


def sources(root: Path, *packages: str) -> list[Path]:
    """Python files in order, migrations left out."""
    files = (f for p in packages or PACKAGES for f in (root / p).rglob("*.py"))
    return sorted(f for f in files if "migrations" not in f.parts)


@cache
def parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text())


def module_of(root: Path, file: Path) -> str:
    parts = file.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def unit_of(module: str) -> str:
    """The package a rule speaks of: `billing_portal.mail`, `pbx`."""
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[0] == "billing_portal" else parts[0]


def imports(root: Path, file: Path) -> Iterator[tuple[int, str]]:
    """Line and full name of everything a file imports, relative imports resolved."""
    here = file.relative_to(root).parent.parts
    for node in ast.walk(parsed(file)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            above = here[: len(here) - node.level + 1] if node.level else ()
            base = ".".join([*above, *filter(None, [node.module])])
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def found(rule: str, root: Path, file: Path, line: int, what: str) -> Finding:
    return Finding(rule, str(file.relative_to(root)), line, what)


# --- Tests --------------------------------------------------------------------------------


def is_excused(finding: Finding) -> bool:
    return (finding.rule, finding.file) in EXEMPTIONS


def test_the_rules_hold():
    findings = [finding for rule in RULES for finding in rule(ROOT)]

    assert "\n".join(str(f) for f in findings if not is_excused(f)) == ""


def test_no_exemption_outlives_what_it_excuses():
    findings = {(f.rule, f.file) for rule in RULES for f in rule(ROOT)}

    assert set(EXEMPTIONS) - findings == set()


def test_no_listed_extra_file_is_gone():
    gone = [n for n in NOUN_EXTRAS if not list((ROOT / "billing_portal").glob(f"{n}*"))]

    assert gone == []


def test_each_rule_catches_its_offence(tmp_path):
    mark = "todo later".upper()
    tree = {
        "billing_portal/__init__.py": "",
        "billing_portal/calc/__init__.py": "VERSION = 1",
        "billing_portal/calc/money.py": "from django.db import models",
        "billing_portal/clients/__init__.py": "",
        "billing_portal/clients/helpers.py": "from ..orders import actions",
        "billing_portal/clients/actions.py": "from billing_portal.products.models import *",
        "billing_portal/clients/queries.py": "def f():\n    import billing_portal.settings",
        "billing_portal/mail/actions.py": f"at = timezone.now()  # {mark}",
        "billing_portal/orders/__init__.py": "",
        "billing_portal/orders/actions.py": "\n" * 401,
    }
    for name, text in tree.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)

    findings = [str(finding) for rule in RULES for finding in rule(tmp_path)]

    clients = "billing_portal/clients"
    assert findings == [
        f"{clients}/actions.py:1: billing_portal.clients imports billing_portal.products.models.*",
        f"{clients}/helpers.py:1: billing_portal.clients imports billing_portal.orders.actions",
        f"{clients}/queries.py:2: imports billing_portal.settings",
        f"{clients}/queries.py:2: import billing_portal.settings",
        f"{clients}/actions.py:1: from billing_portal.products.models import *",
        "billing_portal/calc/__init__.py:1: not empty",
        "billing_portal/mail/actions.py:1: its folder has no __init__.py",
        f"billing_portal/mail/actions.py:1: at = timezone.now()  # {mark}",
        "billing_portal/orders/actions.py:401: over 400 lines",
        f"{clients}/helpers.py:1: not a file name of a noun",
        "billing_portal/calc/money.py:1: imports django.db.models",
        "billing_portal/mail/actions.py:1: timezone.now()",
    ]
