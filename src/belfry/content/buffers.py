"""Where rendered text is collected: bounded, and for URLs with every value percent-encoded."""

from __future__ import annotations

from io import StringIO
from urllib.parse import quote

from belfry.content.errors import OutputTooLarge


class Buffer(StringIO):
    """Text of at most `bytes_max` bytes. `write_own` is for the template's own text, `write` for everything else."""

    def __init__(self, bytes_max: int) -> None:
        super().__init__()
        self.bytes_left = bytes_max

    def write_own(self, text: str) -> int:
        """Add a piece. Raises OutputTooLarge."""
        self.bytes_left -= len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
        if self.bytes_left < 0:
            raise OutputTooLarge("the rendered text is larger than its place allows")
        return super().write(text)

    def write(self, text: str) -> int:
        """Add a value."""
        return self.write_own(text)


class UrlBuffer(Buffer):
    """Text that is part of a URL: whatever is not the template's own is data, never structure."""

    def write(self, text: str) -> int:
        return self.write_own(quote(text, safe="", errors="replace"))
