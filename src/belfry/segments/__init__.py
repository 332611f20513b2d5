"""Segments: whom. A rule tree picks users; it is compiled to one SQL statement, never interpreted.

`model.py` has the tree and `parse.py` reads it from JSON (engagement 3.2); `cql.py` turns CleverTap's query language
into the same tree; `calendar.py` knows days and ranges in the account's time zone; `compiler/` makes SQL of a tree;
`actions.py` is what others call: saved segments, counts, members, explanations; `exports.py` pages through users and
events by signed cursors; `reports/` has top values, trends and who is active now. What an event or a profile is lives
below, who sends messages to a segment above. Start at `actions.py`, then `compiler/__init__.py`.
"""
