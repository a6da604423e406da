"""Makes the virtual environment, also on a Debian whose Python came without ensurepip."""

from __future__ import annotations

import importlib.util
import sys
import venv
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from debian import install

if sys.version_info < (3, 11):  # noqa: UP036
    sys.exit(
        f"cnnwidgets needs Python 3.11 or newer; this is {sys.version.split()[0]}. Use make PYTHON=/path/to/python3.11"
    )
if importlib.util.find_spec("ensurepip") is None:
    install(f"python{sys.version_info.major}.{sys.version_info.minor}-venv")
venv.create(sys.argv[1], with_pip=True)
