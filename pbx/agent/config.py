"""The agent's config file, in TOML.  A complete example is `deploy/pbx-agent.toml`.

A setting that is missing, unknown or wrong stops the agent, and every one of them is named:
an agent that guesses what was meant would guess about who may enter.
"""

import re
import tomllib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import allow_list
from .callers import TrustedProxies
from .limits import Limits
from .tokens import SCOPES, Token

BACK_ENDS = ("sandbox",)
UNIX_SOCKET = "unix"
TOKENS_OF_A_NAME = 2

Reader = Callable[[Any], Any]

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,40}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


class BadConfig(Exception):
    """The file cannot be used; the text names every wrong key, or the line."""


@dataclass(frozen=True, slots=True)
class Config:
    allow_list: Path
    proxies: TrustedProxies
    username: str
    tokens: tuple[Token, ...]
    limits: Limits
    back_end: str


def load(path: Path) -> Config:
    """Raises BadConfig, also if the file is missing or unreadable."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadConfig(f"cannot read {path}: {error}") from error
    try:
        return parse(text)
    except BadConfig as error:
        raise BadConfig(f"{path}: {error}") from error


def parse(text: str) -> Config:
    """Raises BadConfig."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadConfig(str(error)) from error
    wrong: list[str] = []
    unknown = data.keys() - {"access", "tokens", "limits", "back_end"}
    wrong += [f"{name}: is not a section of this file" for name in sorted(unknown)]
    access = _read("access", data.get("access"), _ACCESS, wrong)
    limits = _read("limits", data.get("limits", {}), _LIMITS, wrong)
    back_end = _read("back_end", data.get("back_end"), _BACK_END, wrong)
    tokens = _read_tokens(data.get("tokens"), wrong)
    if wrong:
        raise BadConfig("\n".join(wrong))
    return Config(
        allow_list=access["allow_list"],
        proxies=access["trusted_proxies"],
        username=access["username"],
        tokens=tokens,
        limits=Limits(**limits),
        back_end=back_end["kind"],
    )


def _read(where: str, table: Any, readers: Mapping[str, Reader], wrong: list[str]) -> Any:
    """The table's values by its readers; what is wrong is added to `wrong`."""
    if not isinstance(table, dict):
        wrong.append(f"{where}: is missing" if table is None else f"{where}: must be a section")
        return {}
    values = {}
    for name, reader in readers.items():
        try:
            values[name] = reader(table.get(name))
        except ValueError as error:
            wrong.append(f"{where}.{name}: {error}")
    unknown = sorted(table.keys() - readers.keys())
    wrong += [f"{where}.{name}: is not a setting" for name in unknown]
    return values


def _read_tokens(entries: Any, wrong: list[str]) -> tuple[Token, ...]:
    if not isinstance(entries, list) or not entries:
        wrong.append("tokens: at least one [[tokens]] section is needed")
        return ()
    known = len(wrong)
    found = [_read(f"tokens[{n}]", one, _TOKEN, wrong) for n, one in enumerate(entries, start=1)]
    if len(wrong) > known:
        return ()
    tokens = tuple(Token(one["name"], one["sha256"], one["scopes"]) for one in found)
    for name, count in Counter(token.name for token in tokens).items():
        if count > TOKENS_OF_A_NAME:
            wrong.append(f"tokens: {name} has {count}; the old and the new one are enough")
    for digest, count in Counter(token.digest for token in tokens).items():
        if count > 1:
            wrong.append(f"tokens: {digest[:8]}... stands there {count} times")
    return tokens


def _absolute_path(value: Any) -> Path:
    path = Path(_text(value))
    if not path.is_absolute():
        raise ValueError("must be an absolute path")
    return path


def _proxies(value: Any) -> TrustedProxies:
    entries = _texts([] if value is None else value)
    addresses = [entry for entry in entries if entry != UNIX_SOCKET]
    if any("\n" in entry or not entry.strip() for entry in addresses):
        raise ValueError("holds an entry that is no address or CIDR")
    try:
        networks = allow_list.parse("\n".join(addresses)) if addresses else allow_list.AllowList(())
    except allow_list.BadAllowList as error:
        raise ValueError(str(error).replace("line", "entry", 1)) from error
    return TrustedProxies(networks, unix_socket=UNIX_SOCKET in entries)


def _username(value: Any) -> str:
    return "portal" if value is None else _text(value)


def _token_name(value: Any) -> str:
    name = _text(value)
    if not _NAME.fullmatch(name):
        raise ValueError("must be 1 to 40 letters, digits and _.-")
    return name


def _digest(value: Any) -> str:
    digest = _text(value).lower()
    if not _DIGEST.fullmatch(digest):
        raise ValueError("must be the 64 hex digits that `new-token` prints")
    return digest


def _scopes(value: Any) -> frozenset[str]:
    scopes = frozenset(_texts(value))
    if not scopes or scopes - set(SCOPES):
        raise ValueError(f"must be a list of {', '.join(SCOPES)}")
    return scopes


def _per_minute(default: int) -> Reader:
    def read(value: Any) -> int:
        number = default if value is None else value
        if isinstance(number, bool) or not isinstance(number, int) or number < 1:
            raise ValueError("must be a whole number of requests per minute, 1 or more")
        return number

    return read


def _back_end(value: Any) -> str:
    kind = _text(value)
    if kind not in BACK_ENDS:
        raise ValueError(f"is {kind!r}; this release has: {', '.join(BACK_ENDS)}")
    return kind


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("is missing" if value is None else "must be text")
    return value.strip()


def _texts(value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
        raise ValueError("is missing" if value is None else "must be a list of texts")
    return value


_ACCESS = {"allow_list": _absolute_path, "trusted_proxies": _proxies, "username": _username}
_TOKEN = {"name": _token_name, "sha256": _digest, "scopes": _scopes}
_BACK_END = {"kind": _back_end}
_LIMITS = {
    "standard": _per_minute(Limits().standard),
    "call_export": _per_minute(Limits().call_export),
    "gateways": _per_minute(Limits().gateways),
}
