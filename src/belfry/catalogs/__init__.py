"""Catalogs: what an account has to recommend or to show, by identity: products and places.

`model.py` has the nouns, `rules.py` decides what a product or a schema may be, `csv_file.py` reads uploaded rows;
`actions.py` is what both generations of the API call; `processor.py` makes products of uploaded files, in the engine.
A catalog's products have a version: a file of the first generation replaces them all at once.
Wire formats live in `server_api`. Start at `actions.py`. Source: engagement 7.3; server-api 9.3, 9.4.
"""
