"""A person at a browser, as far as a story needs one: follows links and fills in forms."""

from html.parser import HTMLParser
from typing import Any

import httpx


class Form(HTMLParser):
    """The first form of a page that has a field or button called `name`, with its values."""

    def __init__(self, html: str, name: str) -> None:
        super().__init__()
        self._found: list[tuple[str, dict[str, str], set[str]]] = []
        self.feed(html)
        forms = [form for form in self._found if name in form[2]]
        assert forms, f"no form with {name!r} on the page"
        self.action, self.values, _ = forms[0]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {key: value or "" for key, value in attrs}
        if tag == "form":
            self._found.append((given.get("action", ""), {}, set()))
        if tag not in ("input", "select", "textarea", "button") or not self._found:
            return
        _, values, names = self._found[-1]
        name = given.get("name", "")
        names.add(name)
        kind = given.get("type", "text")
        if tag == "input" and (kind not in ("radio", "checkbox") or "checked" in given):
            values[name] = given.get("value", "")


class Person:
    """Somebody who uses the portal over HTTP.  `html` is the page in front of them."""

    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=url, follow_redirects=True, timeout=30, trust_env=False)
        self.html = ""
        self.path = "/"

    def open(self, path: str) -> str:
        return self._show(self._http.get(path))

    def submit(self, by: str, **answers: Any) -> str:
        """Fill in the form that has the field or button `by`, and send it."""
        form = Form(self.html, by)
        data = {**form.values, **{k.replace("__", "-"): str(v) for k, v in answers.items()}}
        path = form.action or self.path
        headers = {"Referer": str(self._http.base_url)}
        return self._show(self._http.post(path, data=data, headers=headers))

    def _show(self, response: httpx.Response) -> str:
        response.raise_for_status()
        self.html = response.text
        self.path = response.url.raw_path.decode()
        return self.html
