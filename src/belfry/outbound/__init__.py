"""The one way out: HTTP to third parties, only where it may go, bounded in time and size.

`addresses.py` decides whether a URL or an address may be called (pure); `resolver.py` and `client.py` hold every
connection to that decision, so that DNS cannot change it between check and connect. `breaker.py` and `bucket.py` keep
one host's trouble and one host's rate from becoming everyone's (pure, with a clock); `gate.py` keeps one of each per
host.

Nothing here knows a provider, a message or an account. Start at `client.OutboundClient`.
"""

from belfry.outbound.addresses import check_url
from belfry.outbound.client import OutboundClient
from belfry.outbound.model import (
    AddressRefused,
    NoAnswer,
    OutboundError,
    OutboundRequest,
    OutboundResponse,
    TooLarge,
    Unreachable,
)

__all__ = [
    "AddressRefused",
    "NoAnswer",
    "OutboundClient",
    "OutboundError",
    "OutboundRequest",
    "OutboundResponse",
    "TooLarge",
    "Unreachable",
    "check_url",
]
