"""Events: what users did, how names compare, what an account's events look like, and reading them.

`model.py` is an event as the pipeline makes it; `names.py` folds and cleans names and knows the system's own;
`schema.py` keeps the names and properties that an account has seen, `actions.py` shows them; `discards.py` has the
names that an account discarded, `discarded_names.py` the edge's copy of them; `tables.py` declares the tables;
`store.py` reads events. Start at `tables.py`.
Not here: whose an event is (`profiles`), the order in which events are applied (`pipeline`), which users they
select (`segments`).
"""
