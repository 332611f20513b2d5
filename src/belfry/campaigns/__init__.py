"""Campaigns: content for a segment over a channel, launched, stopped, reported on, explained.

`model.py` has the definition, the states and the moves between them; `actions.py` the verbs that the edges call;
`launcher.py` turns a run's segment into outbox rows and closes finished runs; `plans.py` is what delivery asks about
running campaigns, `audience.py` what it asks about users; `explain.py` tells one user's whole path;
`message_report.py` has figures over many campaigns.

No SQL of the outbox (that is `delivery`), no HTTP. Start at `actions.py`.
"""
