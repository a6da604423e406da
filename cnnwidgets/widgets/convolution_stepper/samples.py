"""Inputs to begin with, drawn in letters: what a mouse would draw, for who has none."""

from __future__ import annotations

import numpy as np

from cnnwidgets.widgets._maps.arrays import Doubles

_LEVELS = {"-": 0.0, ".": 0.3, "o": 0.7, "#": 1.0}
_DRAWINGS = {
    "digit 7": """
------------
-.########.-
-.########o-
-------.##.-
-------o#o--
------.##.--
------o#o---
-----.##.---
-----o#o----
----.##.----
----o#o-----
------------""",
    "digit 3": """
------------
--.o####o.--
--o#o..o##.-
-------.##.-
---..o##o---
---.####o.--
------..##.-
-------.##.-
-.#o.--o##.-
--o######o--
---.o##o.---
------------""",
    "digit 0": """
------------
---.o##o.---
--.##oo##.--
--o#.--.#o--
--#o----o#--
--#o----o#--
--#o----o#--
--#o----o#--
--o#.--.#o--
--.##oo##.--
---.o##o.---
------------""",
    "cross": """
#--------#
-#------#-
--#----#--
---#--#---
----##----
----##----
---#--#---
--#----#--
-#------#-
#--------#""",
    "square": """
----------
----------
--######--
--######--
--######--
--######--
--######--
--######--
----------
----------""",
    "blank": "\n" + "\n".join(["-" * 12] * 12),
}
SAMPLES = tuple(_DRAWINGS)


def sample(name: str) -> Doubles:
    """(H, W), from 0 to 1.

    >>> sample("square").sum()
    np.float64(36.0)
    """
    return np.array([[_LEVELS[letter] for letter in line] for line in _DRAWINGS[name].split("\n")[1:]])
