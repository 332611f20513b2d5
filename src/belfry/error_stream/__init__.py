"""The error stream: records that were refused, dropped or changed, with their reason and original bytes.

Rows are written by the pipeline only, kept for seven days and grouped by (kind, source, subject) when read.
`model.py` has the closed list of kinds, `actions.py` what one can do: look, and send a group in again after a fix.
"""
