"""The agent is installed where nothing of the portal is."""

import subprocess
import sys

from tests.pbx.agent_setup import write_config
from tests.settings import ROOT

# Loaded for a FusionPBX only; its library is in the agent's own requirements.
NEEDS_A_LIBRARY = {"fusionpbx_database"}


def test_the_agent_needs_nothing_but_pythons_own_library(tmp_path):
    files = {path.stem for path in (ROOT / "pbx" / "agent").glob("*.py")}
    names = sorted(files - NEEDS_A_LIBRARY - {"__init__"})
    program = "; ".join(f"import pbx.agent.{name}" for name in names)
    program += "; import sys; print(*{name.split('.')[0] for name in sys.modules})"

    # -S leaves out the installed packages.
    done = subprocess.run(
        [sys.executable, "-S", "-c", program],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PBX_AGENT_CONFIG": str(write_config(tmp_path))},
        capture_output=True,
        text=True,
    )

    assert (done.returncode, done.stderr) == (0, "")
    loaded = set(done.stdout.split())
    assert "pbx" in loaded and files > NEEDS_A_LIBRARY
    assert {"django", "billing_portal", "provisioning"}.isdisjoint(loaded)
