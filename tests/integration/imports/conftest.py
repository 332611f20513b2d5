"""The whole edge on real stores: see `support.edge_world`."""

from support.edge_fixture import edge

__all__ = ["edge"]
