"""Connectors: how to talk to a kind of provider. One file each.

`model.py` has what every connector shares: the view of a user, the closed lists of outcomes. `webhook.py` is the
webhook channel: definition and users to request, answer to outcome; `webhook_body.py` its default body,
`signature.py` the signature, `secret.py` the wrapper that keeps credentials out of logs.

Nothing here opens a connection (that is `outbound`), renders Liquid (that is `content`: callers hand over what it
rendered) or knows the outbox (that is `delivery`). Start at `webhook.py`.
"""
