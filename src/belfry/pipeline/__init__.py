"""The pipeline: applies the log to the stores, in order, exactly once.

`loop.py` is the flow: read, apply, note, insert, commit, move, of one block beside the next. `apply.py` takes a block
apart and puts its outcome together; `uploads.py` and `commands*.py` turn entries into effects with the rules of
`profiles`; `judging.py` and `duplicates.py` make events of drafts and recognise repeated requests; `rows.py` and
`snapshots.py` give them the shape of the tables; `settling.py` does what comes after a commit.
The pipeline is the only writer of profiles and events. It knows nothing of campaigns.
"""
