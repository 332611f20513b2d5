"""The `belfry` command: one file a group of commands. Translates arguments and prints; decides nothing.

Start at `app.py`. What a command does lives in `accounts.actions`, `main` (composition) and `demo`.
"""
