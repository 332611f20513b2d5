"""Files that come in by signed URLs: received on disk, checked, and handed to whoever knows what they mean.

`tokens.py` signs and verifies the credential inside a URL; `files.py` has the bytes on disk, resumable; `actions.py`
is what others call: issue, receive, submit, look; `worker.py` runs submitted uploads through processors, one for each
purpose, in the engine. A file's own name is never used: places on disk are made of our own ids only.
What a list or a catalog is lives above. Start at `actions.py`. Source: server-api 9.1, 9.3, 9.4.
"""
