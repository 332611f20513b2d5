"""The edge's machinery: everything that holds for every path before a handler is asked, and after it answered.

`gate.py` is the outer ASGI application: request id, credentials, 404 and 405, scopes, slots, bodies, envelopes.
`routes.py` is the registry that it walks: a route that does not declare who may call it cannot be served.
`exchange.py` has the two values that handlers see, `services.py` what they may use. Endpoints themselves live in
`server_api` and `management_api`; nothing here knows a wire format but the failure envelope.
"""
