"""Where is up? The firmware's filter beside VQF, Madgwick, Mahony and a float twin, from the same counts.

All filters are given the same 52 Hz counts, the same gyroscope bias (the mean of the first 4 s at rest, taken off) and
nothing else. The error is the angle between the true and the estimated up, in the sensor's frame. The firmware takes
samples by four and has a new state at the end of each group: there all filters are compared.
"""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass, replace
from typing import Any

import ahrs
import numpy as np
import polars as pl
import vqf
from numpy.typing import NDArray
from walktall import tilt as firmware_tilt
from walktall.gait import Gait
from walktall.motion import take, views_of
from walktall_sim import chips, mounting, resample

from bench import people as p
from bench import play
from bench.people import HZ, Floats
from bench.strain import Strain

Counts = NDArray[np.int16]
_G_PER_COUNT = (
    1.0 / 8192
)  # as the firmware takes it; 0.06 % from the data sheet's 0.122 mg, and no matter for a direction
_RADPS = math.radians(0.0175)
_REST = 4 * HZ
GROUP = 4
FILTERS = ("firmware", "VQF online", "VQF offline", "Mahony", "Madgwick", "float twin")


@dataclass(frozen=True, slots=True)
class Board:
    """A recording with optical truth: counts (n, 6), true up in the sensor's frame (n, 3), which samples are scored."""

    name: str
    counts: Counts
    up: Floats
    scored: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Errors:
    """Sums of squared inclination errors (deg²) of one recording under one strain, by filter."""

    name: str
    strain: str
    n: int
    squares: dict[str, float]
    twin_squares: float  # firmware's filter against its float twin


def up_of(quat: Floats) -> Floats:
    """Up in the sensor's frame (n, 3) of quaternions sensor to earth (n, 4), w first."""
    w, x, y, z = quat.T
    return np.stack([2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)], axis=1)


def angle_deg(a: Floats, b: Floats) -> Floats:
    """The angle between rows of directions (n, 3)."""
    return np.asarray(np.degrees(np.arctan2(np.linalg.norm(np.cross(a, b), axis=1), (a * b).sum(axis=1))))


def closes(n: int) -> NDArray[np.bool_]:
    """Which of `n` samples, fed from the first on, close a group of the firmware's."""
    return np.asarray(np.arange(n) % GROUP == GROUP - 1)


def boards() -> list[str]:
    """The names of the recordings with optical truth."""
    return [path.name.removesuffix(".csv.gz") for path in sorted((p.path_of("broad", "x").parent).glob("*.csv.gz"))]


def read_board(name: str, rate: float = 1.0) -> Board:
    """One of them, as a chip with a clock `rate` times too fast samples it."""
    table = pl.read_csv(p.path_of("broad", name), infer_schema_length=None)
    t = table["t_s"].to_numpy()
    values = table.select("ax", "ay", "az", "gx", "gy", "gz").to_numpy().astype(np.float64)
    _, _, rows = resample.resample([(t, values)], HZ * rate)
    at = t[0] + np.arange(len(rows)) / (HZ * rate)
    quat = table.select("qw", "qx", "qy", "qz").to_numpy().astype(np.float64)
    there = np.isfinite(quat).all(axis=1)
    q = np.stack([np.interp(at, t[there], quat[there, k]) for k in range(4)], axis=1)
    near = np.clip(np.searchsorted(t, at), 0, len(t) - 1)
    moves = table["label"].to_numpy()[near] == "movement"
    up = up_of(q / np.linalg.norm(q, axis=1, keepdims=True))
    return Board(name, p.quantised(rows.astype(np.float64)), up, np.asarray(moves & there[near]))


def strained(board: Board, strain: Strain) -> Board:
    """The same with bias or drift (from the fifth second on: after it was zeroed), or with samples lost unseen."""
    counts = board.counts.astype(np.float64)
    after = np.maximum(np.arange(len(counts)) / HZ - _REST / HZ, 0.0)
    counts[:, 3:] += ((after > 0) * strain.bias_dps + strain.drift_dps_per_s * after)[:, None] / 0.0175
    kept = np.ones(len(counts), dtype=np.bool_)
    if strain.lost_share and strain.unseen:
        kept = np.random.default_rng(1).random(len(counts)) >= strain.lost_share
    whole = np.clip(np.rint(counts), -32768, 32767).astype(np.int16)
    return replace(board, counts=whole[kept], up=board.up[kept], scored=board.scored[kept])


def firmware_up(counts: Counts) -> Floats:
    """The chain's gravity (n, 3) after each sample, calibrated at the first 4 s at rest."""
    head = counts[:_REST].astype(np.float64)
    force = head[:, :3].mean(axis=0)
    # Any axis will do for forward that does not lie along up.
    forward = 2 * int(np.argmin(np.abs(force)))
    upright = mounting.Upright(force / 8197 * mounting.G, head[:, 3:].mean(axis=0) * _RADPS, True, len(head))
    chain = play.new_chain(mounting.Mounting(mounting.nearest_axis(force), forward, "given"), upright)
    return gravity_of(chain, counts)


def gravity_of(chain: Any, counts: Counts) -> Floats:
    """The chain's gravity (n, 3) after each sample."""
    out = np.empty((len(counts), 3))
    sample, tilt, ring = chain.sample, chain.tilt, chain.ring
    for i, row in enumerate(counts.tolist()):
        if sample(*row):
            chain.buzz_request = 0
            while ring.take():
                pass
        out[i] = tilt.g
    return out


def tilt_up(counts: Counts, bias_counts: Floats) -> Floats:
    """The integer filter alone, without the tracking of bias: gravity (n, 3)."""
    tilt: Any = firmware_tilt.Tilt()
    gait = Gait()
    tilt.bias[:] = [round(4 * float(b)) for b in bias_counts]
    out = np.empty((len(counts), 3))
    tilt.seed(*counts[0, :3].tolist())
    for i, row in enumerate(counts.tolist()):
        take(tilt, gait, views_of(array("h", row[3:] + row[:3])), 0, 1, 1)
        if i % 13 == 12:
            tilt.renormalise()
        out[i] = tilt.g
    return out


def _turned(
    x: float, y: float, z: float, kx: float, ky: float, kz: float, c: float, s: float
) -> tuple[float, float, float]:
    """(x, y, z) turned about the unit vector k by an angle of cosine c and sine s (Rodrigues)."""
    dot = (kx * x + ky * y + kz * z) * (1.0 - c)
    return (
        x * c + (ky * z - kz * y) * s + kx * dot,
        y * c + (kz * x - kx * z) * s + ky * dot,
        z * c + (kx * y - ky * x) * s + kz * dot,
    )


def twin_up(counts: Counts, bias_counts: Floats) -> Floats:
    """The same filter in float64, sample by sample at 52 Hz, with exact rotation (Rodrigues), exact normalisation and
    the same time constant: half a turn, the pull, the other half."""
    gain = 2.0 ** -float(firmware_tilt._K) / GROUP
    bias = np.round(4 * bias_counts) / 4
    rates = counts[:, 3:].astype(np.float64)
    turns = -(rates - bias) * _RADPS / HZ / 2
    angles = np.linalg.norm(turns, axis=1)
    axes = turns / np.maximum(angles, 1e-12)[:, None]
    c, s = np.cos(angles), np.sin(angles)
    force = counts[:, :3] * _G_PER_COUNT
    out = np.empty((len(counts), 3))
    g = force[0] / np.linalg.norm(force[0])
    gx, gy, gz = (float(v) for v in g)
    # Plain floats: a NumPy call a sample would take most of the benchmark's time.
    for i, ((kx, ky, kz), ci, si, (ax, ay, az)) in enumerate(
        zip(axes.tolist(), c.tolist(), s.tolist(), force.tolist(), strict=True)
    ):
        gx, gy, gz = _turned(gx, gy, gz, kx, ky, kz, ci, si)
        gx += (ax - gx) * gain
        gy += (ay - gy) * gain
        gz += (az - gz) * gain
        gx, gy, gz = _turned(gx, gy, gz, kx, ky, kz, ci, si)
        n = math.sqrt(gx * gx + gy * gy + gz * gz)
        gx, gy, gz = gx / n, gy / n, gz / n
        out[i] = gx, gy, gz
    return out


def _physical(counts: Counts, bias_counts: Floats) -> tuple[Floats, Floats]:
    force = np.ascontiguousarray(counts[:, :3] / 8197.0 * mounting.G)
    return np.ascontiguousarray((counts[:, 3:] - bias_counts) * _RADPS), force


def vqf_up(counts: Counts, bias_counts: Floats, *, offline: bool = False) -> Floats:
    """VQF 6D with its own defaults (its tracking of bias on), online sample by sample or offline."""
    gyr, acc = _physical(counts, bias_counts)
    if offline:
        return up_of(vqf.offlineVQF(gyr, acc, None, 1.0 / HZ)["quat6D"])
    one = vqf.VQF(1.0 / HZ)
    quats = np.empty((len(counts), 4))
    for i in range(len(counts)):
        one.update(gyr[i], acc[i])
        quats[i] = one.getQuat6D()
    return up_of(quats)


def _first_quaternion(force: Floats) -> Floats:
    """Sensor to earth, w first, such that the first force points up."""
    a = force / np.linalg.norm(force)
    q = np.array([1.0 + a[2], a[1], -a[0], 0.0])
    return np.asarray(q / np.linalg.norm(q))


def ahrs_up(counts: Counts, bias_counts: Floats, kind: str) -> Floats:
    """Madgwick's or Mahony's filter of `ahrs`, with its own default gains."""
    gyr, acc = _physical(counts, bias_counts)
    one = ahrs.filters.Mahony(frequency=HZ) if kind == "Mahony" else ahrs.filters.Madgwick(frequency=HZ)
    quats = np.empty((len(counts), 4))
    q = _first_quaternion(acc[0])
    for i in range(len(counts)):
        q = one.updateIMU(q, gyr[i], acc[i])
        quats[i] = q
    return up_of(quats)


def all_up(counts: Counts, bias_counts: Floats, filters: tuple[str, ...]) -> dict[str, Floats]:
    """Up by each of the filters wanted; 'float twin' goes with 'firmware'."""
    out = {}
    for name in filters:
        if name == "firmware":
            out[name] = firmware_up(counts)
        elif name == "float twin":
            out[name] = twin_up(counts, bias_counts)
        elif name.startswith("VQF"):
            out[name] = vqf_up(counts, bias_counts, offline=name.endswith("offline"))
        else:
            out[name] = ahrs_up(counts, bias_counts, name)
    return out


def try_board(name: str, strain: Strain, filters: tuple[str, ...] = FILTERS) -> Errors:
    """The errors of all filters on one recording under one strain."""
    board = strained(read_board(name, strain.rate), strain)
    board = replace(board, scored=board.scored & closes(len(board.scored)))
    bias = board.counts[:_REST, 3:].astype(np.float64).mean(axis=0)
    ups = all_up(board.counts, bias, filters)
    squares = {k: float((angle_deg(up, board.up)[board.scored] ** 2).sum()) for k, up in ups.items()}
    twin = 0.0
    if "float twin" in ups:
        apart = angle_deg(tilt_up(board.counts, bias), ups["float twin"])
        twin = float((apart[board.scored] ** 2).sum())
    return Errors(name, strain.name, int(board.scored.sum()), squares, twin)


def error_curves(name: str) -> tuple[Floats, dict[str, Floats], NDArray[np.bool_]]:
    """Time (n,), the error in degrees of each filter (n,), and what is scored: for the plot."""
    board = read_board(name)
    bias = board.counts[:_REST, 3:].astype(np.float64).mean(axis=0)
    ups = all_up(board.counts, bias, ("firmware", "VQF online", "Mahony", "Madgwick"))
    return np.arange(len(board.counts)) / HZ, {k: angle_deg(v, board.up) for k, v in ups.items()}, board.scored


@dataclass(frozen=True, slots=True)
class WalkingErrors:
    """Pitch of one joined walk against offline VQF, and integers against their float twin; sums of squares, deg²."""

    kit: str
    name: str
    tuned: bool
    minutes: float
    n: int
    against: dict[str, float]  # by filter: per-sample pitch against offline VQF
    against_mean: float  # firmware: pitch of 1 s means
    bias_deg: float
    twin: float


def pitch_deg(g: Floats, frame: mounting.Frame) -> Floats:
    """Pitch (n,) of up directions (n, 3), forward positive."""
    return np.asarray(np.degrees(np.arctan2(-(g @ frame.forward), g @ frame.up)))


def try_recorded(person: p.Person, filters: tuple[str, ...]) -> WalkingErrors:
    """A person's trials as recorded: pitch against offline VQF's in rows labelled walking, from second 4 on."""
    sums = dict.fromkeys(filters, 0.0)
    n, mean_squares, off_sum, twin_sum, seconds = 0, 0.0, 0.0, 0.0, 0.0
    for one in p.trials(person.kit, person.name):
        if not chips.present(one.values).all() or len(one.values) < 10 * HZ:
            continue
        source = play.Plain(one.values)
        upright = play.upright_of(source)
        chosen = p.mounting_of(person.kit)
        if not 0.75 < np.linalg.norm(upright.force) / mounting.G < 1.25:
            continue  # some trials begin with rows of nothing
        frame = mounting.frame_of(chosen, upright)
        counts = p.quantised(one.values)
        bias = upright.gyro_bias / _RADPS
        scored = np.isin(one.label, p.WALKING[person.kit])
        scored[: 4 * HZ] = False
        scored &= closes(len(scored))
        if not scored.any():
            continue
        truth = pitch_deg(vqf_up(counts, bias, offline=True), frame)
        for name in filters:
            if name == "firmware":
                up = gravity_of(play.new_chain(chosen, upright), counts)
                off = pitch_deg(up, frame) - truth
                n_in_s = HZ // GROUP
                ends = off[GROUP - 1 :: GROUP]
                one_s = np.convolve(ends, np.ones(n_in_s) / n_in_s, mode="same")
                mean_squares += float((one_s[scored[GROUP - 1 :: GROUP]] ** 2).sum())
                off_sum += float(off[scored].sum())
            else:
                off = pitch_deg(all_up(counts, bias, (name,))[name], frame) - truth
            sums[name] += float((off[scored] ** 2).sum())
        twin = pitch_deg(tilt_up(counts, bias), frame) - pitch_deg(twin_up(counts, bias), frame)
        twin_sum += float((twin[scored] ** 2).sum())
        n += int(scored.sum())
        seconds += float(scored.sum()) * GROUP / HZ
    return WalkingErrors(
        person.kit, person.name, person.tuned, seconds / 60.0, n, sums, mean_squares, off_sum / max(n, 1), twin_sum
    )


def try_walking(person: p.Person, minutes: float, filters: tuple[str, ...]) -> WalkingErrors:
    """One person's joined walk: how far pitch is from offline VQF's, from the tenth second on."""
    walk = p.joined(person.kit, person.name, minutes)
    counts = p.quantised(walk.data)
    frame = p.frame_of(person.kit, walk.data)
    source = play.Plain(walk.data)
    upright = play.upright_of(source)
    bias = upright.gyro_bias / _RADPS
    ours = gravity_of(play.new_chain(p.mounting_of(person.kit), upright), counts)
    truth = pitch_deg(vqf_up(counts, bias, offline=True), frame)
    looked = closes(len(counts))
    looked[: 10 * HZ] = False
    pitches = {"firmware": pitch_deg(ours, frame)}
    for name in filters:
        if name != "firmware":
            pitches[name] = pitch_deg(all_up(counts, bias, (name,))[name], frame)
    off = {k: (v - truth)[looked] for k, v in pitches.items()}
    n = HZ // GROUP
    one_s = np.convolve(off["firmware"], np.ones(n) / n, mode="valid")
    twin = (pitch_deg(tilt_up(counts, bias), frame) - pitch_deg(twin_up(counts, bias), frame))[looked]
    return WalkingErrors(
        person.kit,
        person.name,
        person.tuned,
        walk.unique_s / 60.0,
        len(off["firmware"]),
        {k: float((v**2).sum()) for k, v in off.items()},
        float((one_s**2).mean()) * len(off["firmware"]),
        float(off["firmware"].mean()),
        float((twin**2).sum()),
    )
