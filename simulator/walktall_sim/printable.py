"""Text that a terminal, an XML file and a picture's font can take, whatever a file, its name or a recording holds.

Names of files need not be text at all, and labels, trials and cases are somebody else's words: none of them may end the
program, move a terminal's cursor or break a file that is written.
"""

from __future__ import annotations

import io
import sys
import unicodedata

# Letters, marks, numbers, punctuation, symbols: no control, format (bidirectional), private, unassigned characters or
# halves of such (what Python makes of a name's bytes that are not UTF-8), no line or paragraph separators.
_SHOWN = frozenset("LMNPS")


def printable(text: object, keep: str = " ") -> str:
    """The text with every character that cannot be shown replaced by ``?``.

    :param keep: what stays although it has no shape
    """
    return "".join(c if c in keep or unicodedata.category(c)[0] in _SHOWN else "?" for c in str(text))


def is_utf8(name: object) -> bool:
    """Whether a file's name is text: Polars takes no other."""
    return not any("\ud800" <= c <= "\udfff" for c in str(name))


def harden_streams() -> None:
    """A character that the terminal's encoding lacks becomes ``?`` instead of an error; a stream that the caller closed
    becomes one that nobody reads."""
    if sys.stdout is None:  # `>&-`
        sys.stdout = io.StringIO()
    if sys.stderr is None:
        sys.stderr = io.StringIO()
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")
