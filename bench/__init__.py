"""Benches: each prints its figure, the raw limit of the part below it measured in the same run, and the ratio."""
