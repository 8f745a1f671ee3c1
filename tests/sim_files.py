"""Small recordings for tests of the simulator, and where the real ones are."""

import os
from pathlib import Path

import numpy as np
import pytest

HEADER = "t_s,ax,ay,az,gx,gy,gz"
REAL = Path(__file__).parents[2] / "shared" / "recordings"


def standing(rate_hz: float = 52.0, seconds: float = 4.0) -> np.ndarray:
    """Rows (n, 7) of somebody who stands, +y up."""
    n = round(rate_hz * seconds) + 1
    rows = np.zeros((n, 7))
    rows[:, 0] = np.arange(n) / rate_hz
    rows[:, 2] = 9.81
    return rows


def write_csv(path: Path, rows: np.ndarray, header: str = HEADER) -> Path:
    """The rows as CSV."""
    lines = [header, *(",".join(f"{v:.6g}" for v in row) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def real(name: str) -> Path:
    """A published recording; where there are none the test is skipped, but never in CI."""
    path = REAL / name
    if not path.is_file():
        if os.environ.get("CI") == "true" and os.environ.get("WALKTALL_RECORDINGS") != "none":
            pytest.fail(f"{path} is missing, and CI must not skip it")
        pytest.skip(f"the published recordings are not here: {path}")
    return path
