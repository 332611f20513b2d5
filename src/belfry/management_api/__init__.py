"""Belfry's own API under `/api/v1`: segments, campaigns, explain, the error stream, merging, undoing, settings.

One file a group of endpoints, each a Litestar controller; `wire.py` has the bodies that go in and out; `bridge.py`
puts the controllers behind the gate, so that credentials, scopes, slots and envelopes are the same as everywhere.
Nothing here decides: it reads a body, calls an action, shows what came of it.
"""
