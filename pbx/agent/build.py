"""Putting an agent together from its config file."""

import logging
from datetime import UTC, datetime
from pathlib import Path
from time import time

from . import config
from .allow_list import file_reader
from .app import AgentApp
from .backend import BackEnd
from .config import Config
from .gates import Gates
from .limits import RateLimiter
from .sandbox_backend import SandboxBackEnd

CONFIG_VARIABLE = "PBX_AGENT_CONFIG"
DEFAULT_CONFIG = "/etc/pbx-agent/agent.toml"


def agent_from(path: Path) -> AgentApp:
    """The agent a config file describes.  Raises BadConfig."""
    return agent(config.load(path))


def agent(settings: Config) -> AgentApp:
    gates = Gates(
        tokens=settings.tokens,
        read_allow_list=file_reader(settings.allow_list),
        limiter=RateLimiter(settings.limits, time),
        proxies=settings.proxies,
        username=settings.username,
    )
    return AgentApp(_back_end(), gates)


def set_up_logging() -> None:
    """Everything to standard error, one line each; systemd keeps it in the journal."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")


def _back_end() -> BackEnd:
    # The only kind there is, so far; `config.BACK_ENDS` refuses all others.
    return SandboxBackEnd(_now)


def _now() -> datetime:
    return datetime.fromtimestamp(time(), UTC)
