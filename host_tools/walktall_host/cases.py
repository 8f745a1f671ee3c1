"""A buzz that was wrong, as a test case: its walk's trace, and a suite that ``walktall-sim check`` judges.

The trace is the blocks of the walk as the clip wrote them, one behind the other: angles, cadence, settings and events,
and nothing that says whose they are. The suite says: in this stretch, no buzz for this fault.
"""

from pathlib import Path

from . import trace
from .buzzes import Buzz
from .store import Store
from .whole import refuse_to_overwrite, whole_file

#: Seconds before and behind the buzz in which none is expected: its hold may end a little earlier or later.
_AROUND_S = 5


def write_case(store: Store, buzz: Buzz, folder: Path, force: bool) -> tuple[Path, Path]:
    """Write ``case-12.3.toml`` and ``case-12.3.trace`` into a folder; their paths.

    :raises BadInput: they are there already, or cannot be written
    """
    suite, blocks = (folder / f"case-{buzz.name}{ending}" for ending in (".toml", ".trace"))
    for path in (suite, blocks):
        refuse_to_overwrite(path, force)
    with whole_file(blocks, force) as file:
        file.write(b"".join(trace.raws_of(store, buzz.session)))
    with whole_file(suite, force) as file:
        file.write(suite_text(buzz, blocks.name).encode())
    return suite, blocks


def suite_text(buzz: Buzz, trace_name: str) -> str:
    """The suite: one case, no buzz around that one."""
    begin_s, end_s = max(0, buzz.second - _AROUND_S), buzz.second + _AROUND_S
    return (
        f"# A {buzz.fault_name} buzz that the walker called wrong.\n"
        "[[case]]\n"
        f'name = "wrong buzz {buzz.name}"\n'
        f'trace = "{trace_name}"\n'
        f'expect = [{{ event = "buzz", fault = "{buzz.fault_name}", from_s = {begin_s}, to_s = {end_s}, times = 0 }}]\n'
    )
