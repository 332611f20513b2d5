"""The composition root: builds every object by hand and passes it on; nothing else reaches for a global.

`roles.py` starts processes, `edge.py` and `engine.py` build what runs in them, `administration.py` what the command
line needs, `stores.py` opens stores. No rule lives here.
"""

from belfry.main.administration import Administration, administration
from belfry.main.roles import serve_all, serve_role

__all__ = ["Administration", "administration", "serve_all", "serve_role"]
