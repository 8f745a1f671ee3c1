"""No intermediate of the per-sample and per-tick code leaves -2^30 .. 2^30 - 1, whatever the sensor says."""

import runpy
import types
from pathlib import Path

import pytest

from tests.checked_ints import HIGH, TooWide, Watch, checked_firmware
from tests.test_house_rules import HOT
from tests.vm.machine import EXERCISES


def run_exercise(name: str, vectors: Path, monkeypatch: pytest.MonkeyPatch) -> Watch:
    """Run an exercise of the on-device machine in this process, on checked modules."""
    monkeypatch.chdir(vectors)
    monkeypatch.syspath_prepend(str(EXERCISES))
    with checked_firmware() as watch:
        runpy.run_path(str(EXERCISES / f"exercise_{name}.py"))
    return watch


@pytest.mark.parametrize("name", sorted(HOT))
def test_no_intermediate_leaves_the_small_ints(name: str, vectors: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = run_exercise(name, vectors, monkeypatch)
    assert any(module == f"walktall.{name}" for module, _ in watch.widest) or name == "events"
    (module, line), widest = max(watch.widest.items(), key=lambda item: item[1])
    share = widest / (HIGH + 1)
    print(f"{watch.n_checks} results; the widest is {widest}, {share:.2f} of the limit: {module} line {line}")


def test_none_does_where_each_tick_is_closed_by_a_gap() -> None:
    """A tick's end gives gravity its length back; where a lost sample is the thirteenth, that end does not come."""
    with checked_firmware() as watch:
        from walktall.chain import Chain
        from walktall.limits import Settings

        chain = Chain(Settings())
        chain.set_upright(0, 8197, 0, 0, 0, 0, 90)
        for _ in range(200):
            for _ in range(12):
                chain.sample(32767, 32767, -32768, 0, 0, 0)
            chain.missed(1)
        assert chain.n_samples == 13 * 200 and watch.n_checks > 100_000


def test_the_check_sees_a_product_that_is_too_wide() -> None:
    with checked_firmware():
        from walktall import fixmath

        with pytest.raises(TooWide, match="no small int"):
            fixmath.atan2_cdeg(1 << 31, -(1 << 31))


def test_the_check_leaves_the_ordinary_modules_alone() -> None:
    from walktall import fixmath

    with checked_firmware():
        pass
    assert isinstance(fixmath, types.ModuleType)
    assert fixmath.isqrt(1 << 60) == 1 << 30 or fixmath.isqrt(1 << 28) == 1 << 14
    assert "__check_int__" not in vars(fixmath)
