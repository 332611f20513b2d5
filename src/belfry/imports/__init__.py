"""Imports for people: a file of users or events becomes uploads, row by row (engagement 1.5).

`sources.py` reads CSV, JSON lines and Parquet; `columns.py` says what each column means, `dates.py` how dates are
written, `records.py` makes one record of one row; `chunks.py` makes bodies of uploads. All of these are pure.
`parts.py` keeps the file as it comes in, `store.py` the job, `actions.py` has what people ask for, `outlook.py` what
a dry run foretells, and `worker.py` does the work: every chunk goes through the one door to the log, exactly once.
What a record may be is intake's to judge; what becomes of it, the pipeline's.
"""
