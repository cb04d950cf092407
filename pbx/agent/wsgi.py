"""`pbx.agent.wsgi:application`, for a WSGI server.

Importing it reads the config file that PBX_AGENT_CONFIG names, so a wrong one stops the
server at its start and not at the first request.
"""

import os
from pathlib import Path

from . import build

build.set_up_logging()
application = build.agent_from(
    Path(os.environ.get(build.CONFIG_VARIABLE, build.DEFAULT_CONFIG)),
)
