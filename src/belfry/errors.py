"""What can go wrong, in two families.

    BelfryError
    ├── CallerError      for whoever asked: exposed, with a stable code and what to do
    │   ├── BadRequest       400
    │   ├── Unauthorized     401
    │   ├── Forbidden        403
    │   ├── NotFound         404
    │   ├── MethodNotAllowed 405
    │   ├── Conflict         409
    │   ├── TooLarge         413
    │   ├── UnsupportedMedia 415
    │   ├── TooManyRequests  429
    │   └── Unavailable      503
    └── InternalError    ours: logged with its cause, shown as an id

A layer raises the error that says what went wrong; only the edges turn it into HTTP.
"""

from __future__ import annotations


class BelfryError(Exception):
    """Anything that Belfry raises on purpose."""


class CallerError(BelfryError):
    """An error whose text is meant for the caller.

    text     names the field, the limit and the kind of what came
    code     the number in the envelope; the HTTP status unless a format says otherwise (server-api 1.7)
    field    the field that is wrong, if one is
    limit    the limit that was passed, if one was
    """

    status = 400

    def __init__(
        self,
        text: str,
        *,
        code: int | str | None = None,
        field: str | None = None,
        limit: int | str | None = None,
        retry_after_s: int | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(text)
        self.text = text
        self.code: int | str = self.status if code is None else code
        self.field = field
        self.limit = limit
        self.retry_after_s = retry_after_s
        self.headers = headers or {}


class BadRequest(CallerError):
    """The request cannot be understood or breaks a rule."""

    status = 400


class Unauthorized(CallerError):
    """The credentials are missing or wrong."""

    status = 401


class Forbidden(CallerError):
    """The credentials are right and do not allow this."""

    status = 403


class NotFound(CallerError):
    """There is no such thing in this account."""

    status = 404


class MethodNotAllowed(CallerError):
    """The path exists, the method does not."""

    status = 405


class Conflict(CallerError):
    """The state of the thing does not allow this."""

    status = 409


class TooLarge(CallerError):
    """The body is over the limit."""

    status = 413


class UnsupportedMedia(CallerError):
    """The content type or encoding is not served."""

    status = 415


class TooManyRequests(CallerError):
    """More requests in flight than the account may have."""

    status = 429


class Unavailable(CallerError):
    """A store that this request needs cannot be reached or written now; nothing was accepted."""

    status = 503


class InternalError(BelfryError):
    """A fault of ours."""
