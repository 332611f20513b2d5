"""Who the users are: profiles, their identities and devices, what is known of them, how that came about.

Pure rules over a graph in memory: `identify` (whose record is this), `properties` (what it changes), `tokens`,
`subscriptions` (which channels may be used), `merge`, `demerge` and `undo`. `graph` holds the profiles that the
rules work on and remembers what changed; `store` loads and saves it, all SQL is there. `actions` reads for others
(profile.json, explain, delivery). Start at `model.py`, then `identify.py`.
Not here: the order in which records are applied and the events themselves (`pipeline`).
"""
