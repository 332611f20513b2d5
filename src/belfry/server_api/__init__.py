"""The server API in CleverTap's wire format: uploads, one profile, exports, counts.

`routes.py` lists every route. One file an endpoint or group: `upload.py`, `profile.py`, `export.py`, `counts.py`;
`wire.py` turns our nouns into the shapes that clients know. What holds for all paths (credentials, limits, envelopes)
is `belfry.edge`; what a record or a query means is decided in `intake` and `segments`. Source: server-api 1 to 6.
"""
