"""Shared by all tests: the seed, the on-device machine, and a home that is not the developer's."""

import gc
import itertools
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests import soaking
from tests.soaking import SEED as SEED
from tests.vm.machine import Machine
from tests.vm.vectors import write_all

settings.register_profile("walktall", deadline=None, print_blob=True, derandomize="WALKTALL_SEED" not in os.environ)
settings.load_profile("walktall")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rewrite", action="store_true", help="write golden files and generated tables anew")


def pytest_configure(config: pytest.Config) -> None:
    """`make soak` tells what it does; a worker of it leaves that to the controller."""
    if os.environ.get("WALKTALL_SOAK") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(soaking.Told(config))


pytest_runtest_call = soaking.pytest_runtest_call


def pytest_report_header() -> str:
    return f"seed: WALKTALL_SEED={SEED}"


# Their tests go on from what earlier ones of the same file made: a wheel, an installation, a folder, a browser.
IN_ORDER = {
    "tests/test_honest_denominators.py",
    "tests/test_host_terminal.py",
    "tests/test_page.py",
    "tests/test_page_browser.py",
    "tests/test_readme.py",
    "tests/test_wheel.py",
}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What takes hours runs only when it is asked for: `make soak`, or `-m soak`; of a soak that was cancelled what is
    left: `make soak REST=1`."""
    if os.environ.get("WALKTALL_SOAK") == "rest":
        kept = [item for item in items if not soaking.has_run(item.nodeid)]
    elif "soak" in (config.option.markexpr or "") or os.environ.get("WALKTALL_SOAK"):
        return
    else:
        kept = [item for item in items if item.get_closest_marker("soak") is None]
    if len(kept) < len(items):
        config.hook.pytest_deselected(items=[item for item in items if item not in kept])
        items[:] = kept


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Tests go to workers one by one, but those of a file that is to be run in order to one worker together."""
    from xdist.scheduler import LoadScopeScheduling

    class InOrder(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            path = nodeid.split("::")[0]
            return path if path in IN_ORDER or path.endswith(".md") else nodeid

    return InOrder(config, log)


@pytest.fixture
def seed() -> int:
    """The seed of this run; printed, so that a failure can be repeated."""
    print(f"WALKTALL_SEED={SEED}")
    return SEED


@pytest.fixture
def tally(request: pytest.FixtureRequest) -> soaking.Tally:
    """For a test to say how far it is, and in the end how many cases it ran."""
    return soaking.Tally(request.node.nodeid)


@pytest.fixture
def chance(seed: int) -> random.Random:
    return random.Random(seed)


@pytest.fixture(scope="session")
def vectors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of test vectors for both interpreters."""
    folder = tmp_path_factory.mktemp("vectors")
    print(f"WALKTALL_SEED={SEED}")
    write_all(folder, SEED)
    return folder


@pytest.fixture(scope="session")
def machine(vectors: Path) -> Machine:
    """The on-device machine and its CPython twin."""
    return Machine(vectors)


_FULL_COLLECTION_EVERY = 200
_tests = itertools.count(1)


@pytest.fixture(autouse=True)
def _collect_what_the_test_makes() -> None:
    """The firmware collects garbage when it starts and when a computer comes and goes. Under pytest that would be a
    tenth of a second each time, for all the modules and tests that are loaded: they are left out."""
    if next(_tests) % _FULL_COLLECTION_EVERY == 0:
        gc.unfreeze()
        gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def _home_of_nobody(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test may read or write the store of whoever runs it."""
    home = tmp_path_factory.mktemp("home")
    patch = pytest.MonkeyPatch()
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME"):
        patch.setenv(name, str(home / name.lower()))
    yield
    patch.undo()
