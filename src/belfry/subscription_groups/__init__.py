"""Subscription groups: kinds of messages that a user can leave without leaving a channel ("Offers", "News").

An account has at most 50 active ones; archiving frees a slot and keeps who left the group. Which groups a user left
is kept with the profile (`profiles.subscriptions`); here is which groups there are.
`model.py` has the noun, `rules.py` says which wishes of an upload name a group, `actions.py` has the verbs.
On the wire they are called category groups. Source: engagement 1.4, server-api 3.6, 10.4.
"""
