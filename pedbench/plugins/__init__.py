"""The in-tree plugins, as `pedbench.plugins.attacks`, `.defenses` and `.datasets`.

A wheel places the three folders here. In a checkout they lie beside the folder `pedbench`, where people look
for them, so the checkout's root joins this package's path.
"""

from pathlib import Path

_here = Path(__file__).parent
_root = _here.parents[1]
if not (_here / "attacks").is_dir() and (_root / "attacks").is_dir():
    __path__.append(str(_root))
