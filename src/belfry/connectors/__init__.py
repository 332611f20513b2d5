"""Connectors: how to talk to a kind of provider. One file each.

`model.py` has what every connector shares: the view of a user, the closed lists of outcomes; `secret.py` the wrapper
that keeps credentials out of logs, `signature.py` the Standard Webhooks signature. The webhook channel is
`webhook.py` (definition and users to request), `webhook_body.py` (its default body), `webhook_check.py` (what is wrong
with a definition) and `webhook_outcome.py` (what an answer means).

Nothing here opens a connection (that is `outbound`), renders Liquid (that is `content`: callers hand over what it
rendered) or knows the outbox (that is `delivery`). Start at `webhook.py`.
"""
