"""Reports over the events that a query selects: top values, trends, who is active now (server-api 6.2 to 6.4).

`actions.py` is what others call. `facets.py` says what a group of a report looks at; `columns.py` prints it as SQL,
`top.py` counts its values, with `buckets.py` for ranges of numbers; `periods.py` has days, weeks and months,
`trends.py` counts in them; `now.py` looks at the last five minutes. Which events a report is about is the segment
compiler's WHERE, so hidden profiles never count. Wire shapes are made in `server_api`. Start at `actions.py`.
"""
