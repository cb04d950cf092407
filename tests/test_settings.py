"""The settings and what is written about them."""

import ast
import os
import re
import subprocess
import sys

import pytest

from tests.settings import ROOT

SETTINGS = ROOT / "billing_portal" / "settings.py"


def variables_read() -> set[str]:
    """Names passed to `env(...)` or `env.kind(...)` in settings.py."""
    calls = [n for n in ast.walk(ast.parse(SETTINGS.read_text())) if isinstance(n, ast.Call)]
    return {
        call.args[0].value
        for call in calls
        if ast.unparse(call.func).split(".")[0] == "env"
        and call.args
        and isinstance(call.args[0], ast.Constant)
    }


def variables_documented() -> set[str]:
    return set(re.findall(r"^#?([A-Z][A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))


def variables_of_compose() -> set[str]:
    return set(re.findall(r"\$\{([A-Z_]+)", (ROOT / "docker-compose.yml").read_text()))


def load_settings(**environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "import billing_portal.settings"],
        env={"PATH": os.environ["PATH"], "ENV_FILE": os.devnull, **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )


def test_every_variable_the_settings_read_is_in_the_example_file():
    assert variables_read() - variables_documented() == set()


def test_every_variable_in_the_example_file_is_read_by_something():
    assert variables_documented() - variables_read() - variables_of_compose() == set()


def test_every_variable_compose_wants_is_in_the_example_file():
    assert variables_of_compose() - variables_documented() == set()


def test_the_demo_needs_no_environment():
    assert load_settings().returncode == 0


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({}, "SECRET_KEY must be set when DEMO is false."),
        ({"SECRET_KEY": "own"}, "ENCRYPTION_KEYS must be set when DEMO is false."),
    ],
)
def test_production_refuses_the_demo_secrets(environment, sentence):
    loaded = load_settings(DEMO="false", **environment)

    assert loaded.returncode == 1
    assert loaded.stderr.endswith(f"ImproperlyConfigured: {sentence}\n")
