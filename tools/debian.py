"""Installs Debian packages when we may; says what to type when we may not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys


def install(*packages: str) -> None:
    """``apt-get install`` as root or through sudo; exits with the command to type otherwise."""
    command = f"apt-get install -y {' '.join(packages)}"
    prefix: list[str] = []
    if os.geteuid() != 0:
        if not shutil.which("sudo"):
            sys.exit(f"{' '.join(packages)} is missing. As root, run: {command}")
        prefix = ["sudo"]
    if not shutil.which("apt-get"):
        sys.exit(f"{' '.join(packages)} is missing, and this is not a Debian: install it by hand.")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run([*prefix, "apt-get", "-qq", "update"], env=environment, check=True)
    full = [*prefix, "apt-get", "-qq", "install", "-y", "--no-install-recommends", *packages]
    subprocess.run(full, env=environment, check=True)
