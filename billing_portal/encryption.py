"""Secrets at rest: model fields that encrypt with rotatable keys.

`ENCRYPTION_KEYS` holds one or more Fernet keys; the first encrypts, all decrypt.  To
rotate: put a new key first, save the rows again, remove the old key.
"""

import json
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models


def encrypt(text: str) -> str:
    """`text` as a Fernet token; each call gives a different one."""
    return _fernet().encrypt(text.encode()).decode()


def decrypt(token: str) -> str:
    """The text behind `token`.  Raises ImproperlyConfigured if no key fits."""
    try:
        return _fernet().decrypt(token.encode()).decode()
    except InvalidToken as error:
        raise ImproperlyConfigured("No key in ENCRYPTION_KEYS opens a stored secret.") from error


class EncryptedJSONField(models.TextField):
    """JSON that is a Fernet token in the database and a plain value in Python.

    It cannot be searched or ordered by.  An empty dict is stored encrypted too, so a
    reader of the database cannot tell which rows hold secrets.
    """

    _pyi_private_set_type: Any  # for the type checker: any JSON goes in and comes out
    _pyi_private_get_type: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("default", dict)
        kwargs.setdefault("blank", True)
        kwargs.setdefault("editable", False)
        super().__init__(*args, **kwargs)

    def get_prep_value(self, value: Any) -> str:
        return encrypt(json.dumps(value))

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> Any:
        return {} if value is None else json.loads(decrypt(value))

    def to_python(self, value: Any) -> Any:
        return value


def _fernet() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.ENCRYPTION_KEYS])
