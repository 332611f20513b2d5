"""The audit log: who did what to an account, when, and to how many.

Rows are only ever added, each with a hash over itself and the row before: `AuditLog.first_broken` finds a row that was
changed or taken out. Entries name passcodes and counts, never users. The pipeline writes those of commands, in the
transaction of their effects. `model.py` has the closed list of actions; start at `actions.py`.
"""
