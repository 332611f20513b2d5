"""Message content: Liquid, made safe to run for strangers, and put safely into JSON, URLs and headers.

`template.py` compiles and renders one text. `json_body.py`, `url.py` and `header.py` are the places a text can stand
in, each with its own escaping; `message.py` puts them together for one message. `environment.py` and `nodes.py` are
our dialect on top of python-liquid, `filters.py` what a value can be passed through, `guards.py` the limits on all
of it, `scan.py` finds Liquid in a text.

Nothing here reads a store, calls a network or knows a channel. Start at `template.compile_template`.
"""
