"""The whole way over a real pty: virtual board, its own firmware, the walker's tool as a process of its own."""

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

SIM = [sys.executable, "-m", "walktall_sim"]
HOST = [sys.executable, "-m", "walktall_host"]
PLAN = "stand:8,walk:40,lean 20:30,walk:40"
WALK_S = 118


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("walk") / "walk.csv"
    subprocess.run([*SIM, "generate", "--plan", PLAN, "--seed", "3", "--out", str(path)], check=True, timeout=60)
    return path


@pytest.fixture(scope="module")
def port(walk: Path) -> Iterator[str]:
    link = walk.with_name("clip")
    with walk.with_name("serve.log").open("w") as log:
        process = subprocess.Popen(
            [*SIM, "serve", str(walk), "--speed", "max", "--link", str(link)], stdout=log, stderr=log
        )
        end = time.monotonic() + 60
        while not link.exists():
            assert process.poll() is None, walk.with_name("serve.log").read_text()
            assert time.monotonic() < end
            time.sleep(0.05)
        yield str(link)
        process.terminate()
        process.wait(20)


def host(store: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*HOST, *arguments],
        env={**os.environ, "WALKTALL_STORE": str(store)},
        capture_output=True,
        text=True,
        timeout=90,
    )


def test_a_served_walk_is_downloaded_once_and_reported_as_it_was_replayed(
    walk: Path, port: str, tmp_path: Path
) -> None:
    store = tmp_path / "s.sqlite3"
    first = host(store, "download", "--port", port, "--json")
    assert first.returncode == 0, first.stderr
    (device,) = json.loads(first.stdout)["devices"]
    assert (device["new"], device["unread"], device["acknowledged"]) == (1, 0, True)
    second = host(store, "download", "--port", port, "--json")
    assert json.loads(second.stdout)["devices"][0]["new"] == 0
    info = json.loads(host(store, "info", "--port", port, "--json").stdout)["devices"][0]
    assert info["unacknowledged"] == 0
    assert "clock_set" in info["flag_names"]

    (session,) = json.loads(host(store, "report", "--json").stdout)["sessions"]
    assert session["judged_s"] + session["left_out_s"] == session["wear_s"]
    assert abs(session["wear_s"] - WALK_S) <= 3
    assert session["begin_source"] == "derived"
    assert session["buzzes"] >= 1
    assert session["back_events"] == 0
    replayed = subprocess.run(
        [*SIM, "replay", str(walk), "--json"], check=True, capture_output=True, text=True, timeout=120
    )
    summary = json.loads(replayed.stdout.splitlines()[-1])
    assert summary["event"] == "summary"
    for name in ("wear_s", "good_s", "forward_s", "buzzing_s", "buzzes", "answered", "lean_events", "steps"):
        assert session[name] == summary[name], name

    text = host(store, "report").stdout
    assert "could be judged" in text
    assert "buzzes" in text


def _ids(walk: Path, store: Path, *options: str) -> tuple[str, str, str, int]:
    """Clip, journal and trace of a served walk, and how many sessions were new to the store."""
    command = [*SIM, "serve", str(walk), "--speed", "max", "--tcp", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as clip:
        try:
            assert clip.stdout is not None
            port = clip.stdout.readline().strip()
            shown = host(store, "download", "--port", port, "--json")
        finally:
            clip.terminate()
    assert shown.returncode == 0, shown.stderr
    (device,) = json.loads(shown.stdout)["devices"]
    with contextlib.closing(sqlite3.connect(store)) as opened:
        query = "SELECT hex(trace_id) FROM device JOIN ring USING (device_key) WHERE hex(device_id) = ?"
        traces = {row[0] for row in opened.execute(query, (device["device_id"].upper(),))}
    (trace,) = traces
    return device["device_id"], device["journal_id"], trace, device["new"]


def test_the_same_walk_is_the_same_clip_again_and_another_one_is_another(walk: Path, tmp_path: Path) -> None:
    other, copy = tmp_path / "other.csv", tmp_path / "copy.csv"
    subprocess.run([*SIM, "generate", "--plan", PLAN, "--seed", "4", "--out", str(other)], check=True, timeout=60)
    copy.write_bytes(walk.read_bytes())
    store = tmp_path / "s.sqlite3"
    first = _ids(walk, store)
    assert first[3] == 1
    assert _ids(copy, store) == (*first[:3], 0)
    for wearing in ((other,), (walk, "--turn", "15@60+20/2"), (walk, "--set", "hold_s=15")):
        found = _ids(wearing[0], store, *wearing[1:])
        assert found[3] == 1
        assert not set(found[:3]) & set(first[:3])
    assert len(json.loads(host(store, "sessions", "--json").stdout)["sessions"]) == 4
