"""Exit 0 if the web process beside us answers; what a container's health check runs."""

import http.client
import os
from urllib.parse import urlsplit

portal = urlsplit(os.environ.get("PORTAL_URL", "http://127.0.0.1:8000"))
connection = http.client.HTTPConnection("127.0.0.1", 8000, timeout=4)
connection.request(
    "GET",
    "/accounts/login/",
    headers={"Host": portal.netloc, "X-Forwarded-Proto": portal.scheme},
)
raise SystemExit(connection.getresponse().status != http.client.OK)
