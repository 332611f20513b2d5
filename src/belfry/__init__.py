"""Belfry: self-hosted customer engagement over CleverTap's public HTTP formats."""

__version__ = "0.1.0"
