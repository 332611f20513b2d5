"""The library: content that is kept to be used in several messages, with its translations.

A content block is a piece of text or HTML with a name; an email template is a whole email. Both are kept with
translations that a translation service brings back, and are found by number.
`model.py` has the nouns, `rules.py` what they must look like, `actions.py` the verbs, `store.py` the SQL.
Not here: rendering (`content`), the wire formats (`server_api`). Start at `model.py`. Source: server-api 10.2, 10.3.
"""
