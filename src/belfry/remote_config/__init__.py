"""Remote config: variables that apps read, with a default each, grouped in folders by the dots in their names.

A definition that comes through the API is a draft; publishing makes all drafts take effect at once. `model.py` has
the nouns, `rules.py` what a definition must look like, `actions.py` the verbs, `store.py` the SQL.
Values of single users come with the channels that set them; until then every user has the defaults.
Source: server-api 10.5.
"""
