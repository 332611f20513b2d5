"""Custom lists and API segments: segments whose members others decide, one by one.

A list is a saved segment (`belfry.segments.members` keeps its members) with what only lists have: a name that is
unique among them, the id that the customer calls it by, which version of its members holds. `actions.py` completes
uploads and makes API segments; `csv_file.py` reads `Type,Identity`; `processor.py` makes members of an upload, in the
engine. Changes of API segments go through the log (`pipeline.membership`).
Start at `actions.py`. Source: engagement 3.1, 3.10; server-api 9.1, 9.2.
"""
