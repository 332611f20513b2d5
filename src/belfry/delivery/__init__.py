"""Everything that leaves: the outbox and the dispatcher.

`model.py` has the states of a message and the moves between them; `store.py` the outbox's SQL for messages on their
way, `history.py` for looking back at one campaign's, `figures.py` at many campaigns' at once; `checks.py` the decisions
of engagement 5.9; `retries.py` what follows from an outcome; `prepare.py` claimed rows to requests; `dispatcher.py`
the loop; `liveness.py` who may hold claims.

Delivery knows no campaign and no segment: the layer above hands it `model.Plan`s. It opens no connection either:
that is `outbound`, behind `model.Sender`. Start at `dispatcher.py`.
"""
