"""A running Belfry as commands see it: over HTTP, with an account's credentials."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from typing import Annotated, Any
from urllib.parse import urlencode, urlsplit

import typer

from belfry.errors import BelfryError

TIMEOUT_S = 300
PIECE_BYTES = 256 * 1024

Url = Annotated[str, typer.Option(envvar="BELFRY_URL", help="Where Belfry runs.")]
AccountId = Annotated[str, typer.Option("--account", envvar="BELFRY_ACCOUNT", help="The account's id.")]
PasscodeText = Annotated[
    str, typer.Option("--passcode", envvar="BELFRY_PASSCODE", help="A passcode of it. Better from the environment.")
]
DEFAULT_URL = "http://127.0.0.1:8080"


class RemoteFailed(BelfryError):
    """Belfry refused a request, or could not be reached."""


class Remote:
    """One connection; each call is a request. Raises RemoteFailed, with what Belfry said."""

    def __init__(self, url: str, account_id: str, passcode: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or parts.hostname is None:
            raise RemoteFailed(f"--url needs to be like {DEFAULT_URL}, got {url!r}")
        self._url = url
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(parts.hostname, parts.port, timeout=TIMEOUT_S)
        self._prefix = parts.path.rstrip("/")
        self._headers = {"X-CleverTap-Account-Id": account_id, "X-CleverTap-Passcode": passcode}

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON answer. body: bytes as they are, anything else as JSON; None: none"""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        media = "application/octet-stream" if isinstance(body, bytes) else "application/json"
        with self._request(method, path, data, {"Content-Type": media} if data is not None else {}) as answer:
            return json.loads(answer.read())

    def download(self, path: str, parameters: list[tuple[str, str]]) -> Iterator[bytes]:
        """The pieces of a file. Raises RemoteFailed also if it ends before it is whole."""
        with self._request("GET", f"{path}?{urlencode(parameters)}", None, {}) as answer:
            try:
                while piece := answer.read(PIECE_BYTES):
                    yield piece
            except (http.client.HTTPException, OSError) as error:
                raise RemoteFailed(f"the file broke off: {error or type(error).__name__}") from error

    def close(self) -> None:
        self._connection.close()

    def _request(self, method: str, path: str, data: bytes | None, headers: dict[str, str]) -> http.client.HTTPResponse:
        try:
            self._connection.request(method, self._prefix + path, data, {**self._headers, **headers})
            answer = self._connection.getresponse()
        except (http.client.HTTPException, OSError) as error:
            self._connection.close()
            raise RemoteFailed(f"cannot reach Belfry at {self._url}: {error or type(error).__name__}") from error
        if answer.status >= 400:
            raise RemoteFailed(_said(answer))
        return answer


def _said(answer: http.client.HTTPResponse) -> str:
    body = answer.read()
    try:
        return f"{json.loads(body)['error']} (HTTP {answer.status})"
    except (ValueError, KeyError, TypeError):
        return f"HTTP {answer.status} {answer.reason}"
