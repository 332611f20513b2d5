"""Accounts and their passcodes: who may come in, and with what rights.

`actions.py` is what the CLI and the console call: make, list, change, rotate, revoke. `directory.py` is what the
edge asks on every request: an in-memory copy of all accounts that follows the store within half a second.
`secret.py` keeps the installation's secret, `hashing.py` makes the hashes that are stored instead of passcodes.
`store.py` has the SQL. Nothing here knows HTTP. Start at `model.py`.
"""
