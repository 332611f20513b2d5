"""The pipeline: applies the log to the stores, in order, exactly once.

`loop.py` is the flow of one block: read, note, apply, insert, commit, move. `apply.py` turns records into effects
with the rules of `profiles` and `events`; `workspace.py` holds the profiles of a block in memory; `duplicates.py`
recognises repeated requests; `commands.py` merges and undoes; `moves.py` shows events under another profile.
The pipeline is the only writer of profiles and events. It knows nothing of campaigns.
"""
