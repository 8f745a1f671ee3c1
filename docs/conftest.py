"""The commands of these pages are run: each ``sh`` block, in order, page by page, as somebody new would.

They run in an empty folder, with a worn virtual clip for the one that is plugged in. A command that cannot be run here
stands in another block, behind a comment that says why; ``tests/test_docs_commands.py`` holds that.
"""

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from sybil import Example, Sybil
from sybil.parsers.myst import CodeBlockParser

from tests.newcomer import Newcomer, newcomer_in


class Commands(CodeBlockParser):
    """``sh`` blocks; a line that ends in a backslash goes on in the next."""

    language = "sh"

    def evaluate(self, example: Example) -> None:
        somebody: Newcomer = example.namespace["somebody"]
        for line in example.parsed.replace("\\\n", " ").splitlines():
            if line.strip() and not line.startswith("#"):
                somebody.run(line)


def _arrive(namespace: dict[str, Any]) -> None:
    folder = Path(tempfile.mkdtemp(prefix="walktall-docs-"))
    namespace["somebody"] = newcomer_in(folder, activated=True)


def _leave(namespace: dict[str, Any]) -> None:
    somebody: Newcomer = namespace["somebody"]
    somebody.leave()
    if "WALKTALL_KEEP" not in os.environ:
        shutil.rmtree(somebody.folder, ignore_errors=True)


pytest_collect_file = Sybil(parsers=[Commands()], patterns=["*.md"], setup=_arrive, teardown=_leave).pytest()
