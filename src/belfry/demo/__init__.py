"""`belfry demo`: a small shop's day through the public API, and its main job shown with figures that add up.

`shop.py` makes the day (the same one each time) and knows what must come of it; `endpoint.py` is the partner who
receives the webhooks, on loopback; `play.py` runs the story against a Belfry that it starts; `report.py` prints.
"""
