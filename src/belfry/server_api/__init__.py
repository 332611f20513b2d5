"""The server API in CleverTap's wire format: uploads, reads, exports, counts, reports, settings and content.

`routes.py` lists every route; one file has each endpoint or group, named after its path. `partial.py` is the protocol
of answers that may take long; `wire.py` turns our nouns into the shapes that clients know; `fields.py` and `bodies.py`
read what they send. What holds for all paths (credentials, limits, envelopes) is `belfry.edge`; what a record or a
query means is decided in `intake` and `segments`. Source: server-api.
"""
