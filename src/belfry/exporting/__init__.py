"""Exports for people: all users, or the events of some names and days, as one file (engagement 8.7).

`lines.py` makes a line of a user or an event (partner integrations 8.8), `columns.py` flattens lines for CSV and
Parquet, `writers.py` writes the formats piece by piece, `actions.py` goes through the stores. Which users and events,
with a bound fixed at the start, is the work of `segments.exports`. What `imports` reads again is written here so that
it comes back as it was. Start at `actions.py`.
"""
