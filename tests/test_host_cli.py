"""``walktall`` as a walker meets it: one clear line when something is wrong, the right status, no traceback ever."""

import io
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from walktall import __version__, records, wire
from walktall_host import cli, ports
from walktall_host.cli import app, main
from walktall_host.store import Store

from tests.desk_device import UTC_S, Desk
from tests.host_clip import on_pty, on_socket
from tests.test_host_store import hello_of
from tests.walked import walked

# The clip under a real port needs real seconds only where silence is waited for.
WALKTALL = [sys.executable, "-m", "walktall_host"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "s.sqlite3"


@pytest.fixture
def clip() -> Iterator[tuple[Desk, str]]:
    desk = Desk()
    for n in range(3):
        desk.record(600 + n, lean_events=n, buzzes=n, answered=n, calibration_quality=90)
    with on_socket(desk) as port:
        yield desk, port


def run(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    status = main([str(a) for a in arguments])
    done = capsys.readouterr()
    return status, done.out, done.err


def test_download_then_report_end_to_end(
    clip: tuple[Desk, str], path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    desk, port = clip
    status, out, err = run(capsys, "download", "--port", port, "--store", path)
    assert status == 0
    assert "3 new sessions" in out
    assert "You can unplug the clip." in out
    assert desk.journal.unacknowledged == 0
    status, out, err = run(capsys, "download", "--port", port, "--store", path)
    assert (status, out.splitlines()[0]) == (0, "Nothing new on the clip.")
    status, out, err = run(capsys, "sessions", "--store", path)
    assert (status, len(out.splitlines()), err) == (0, 4, "")
    status, out, err = run(capsys, "report", "--store", path)
    assert status == 0
    assert re.search(r"buzzes +2: 2 answered", out)
    status, out, err = run(capsys, "report", "1", "--store", path)
    assert re.search(r"buzzes +0\n", out)


def test_json_is_one_object_and_nothing_else_on_standard_output(
    clip: tuple[Desk, str], path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    desk, port = clip
    id_ = desk.hello()["device_id"]
    assert isinstance(id_, bytes)
    _, out, _ = run(capsys, "info", "--port", port, "--json")
    (device,) = json.loads(out)["devices"]
    assert device["device_id"] == id_.hex()
    assert {row[0] for row in wire.HELLO_FIELDS} <= set(device)
    _, out, _ = run(capsys, "download", "--port", port, "--store", path, "--json")
    (done,) = json.loads(out)["devices"]
    assert (done["new"], done["acknowledged"]) == (3, True)
    _, out, _ = run(capsys, "sessions", "--store", path, "--json")
    assert [session["wear_s"] for session in json.loads(out)["sessions"]] == [600, 601, 602]
    before = out
    run(capsys, "download", "--port", port, "--store", path, "--quiet")
    assert run(capsys, "sessions", "--store", path, "--json")[1] == before
    _, out, _ = run(capsys, "report", "--last", "2", "--store", path, "--json")
    assert len(json.loads(out)["sessions"]) == 2
    assert json.loads(run(capsys, "ports", "--all", "--json")[1]).keys() == {"ports"}
    assert json.loads(run(capsys, "db", "--store", path, "--json")[1])["exists"]


def test_quiet_says_nothing_when_all_went_well(
    clip: tuple[Desk, str], path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(capsys, "download", "--port", clip[1], "--store", path, "--quiet") == (0, "", "")


def test_info_writes_nothing_on_the_clip_and_leaves_its_clock(
    clip: tuple[Desk, str], capsys: pytest.CaptureFixture[str]
) -> None:
    desk, port = clip
    images = [bytes(bank.data) for bank in desk.banks]
    status, out, _ = run(capsys, "info", "--port", port)
    assert status == 0
    assert "3 of 41 sessions, 3 not yet downloaded" in out
    assert [bytes(bank.data) for bank in desk.banks] == images
    assert desk.handler.clock_s == 0


def test_identify_buzzes_once(clip: tuple[Desk, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "identify", "--port", clip[1])[0] == 0
    assert clip[0].handler.identified == 1
    status, out, _ = run(capsys, "identify", "--port", clip[1], "--json")
    assert (status, [each["port"] for each in json.loads(out)["devices"]]) == (0, [clip[1]])
    assert clip[0].handler.identified == 2


def one_line(err: str) -> str:
    assert err.count("\n") == 1, err
    assert err.startswith("walktall: ")
    assert "Traceback" not in err
    return err


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["bogus"], 2, "bogus"),
        (["report", "--bogus"], 2, "--bogus"),
        (["report", "one"], 2, "integer"),
        (["report", "7"], 2, "no session 7"),
        (["report", "1", "--last", "2"], 2, "exclude"),
        (["report", "--last", "0"], 2, "--last"),
        (["report"], 2, "there is no store"),
        (["sessions", "--device", "zz"], 2, "no clip zz"),
        (["info", "--port", "socket://localhost:1"], 3, "nobody answers"),
        (["info", "--port", "socket://"], 2, "socket://HOST:PORT"),
        (["info", "--port", "socket://localhost"], 2, "socket://HOST:PORT"),
        (["info", "--port", "socket://localhost:notaport"], 2, "socket://HOST:PORT"),
        (["info", "--port", "nonsense://x"], 2, "not known"),
        (["download", "--port", "{tmp}/nothing"], 3, "no port"),
        (["download", "--port", "{tmp}"], 2, "not a serial port"),
        (["download", "--port", "{tmp}/file"], 2, "not a serial port"),
        (["sessions", "--store", "{tmp}"], 2, "folder"),
        (["sessions", "--store", "{tmp}/file"], 2, "not a Walktall store"),
        (["download", "--store", "{tmp}/file/x"], 2, "cannot be opened"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_wrong_is_told_in_one_line_with_its_status(
    arguments: list[str], status: int, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("text " * 400)
    (tmp_path / "fresh").mkdir()
    arguments = [a.replace("{tmp}", str(tmp_path)) for a in arguments]
    if "--store" not in arguments and arguments[0] in ("report", "sessions", "download"):
        arguments += ["--store", str(tmp_path / "fresh" / "s.sqlite3")]
    got, out, err = run(capsys, *arguments)
    assert (got, out) == (status, "")
    assert words in one_line(err)


@pytest.mark.parametrize(
    "command",
    [["report"], ["report", "--weeks", "3"], ["explain"], ["export", "sessions"], ["sessions"], ["backup", "b"]],
)
def test_an_empty_store_says_why_it_is_empty_and_stays_as_it_is(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    status = 0 if command == ["sessions"] else 2
    gone, empty, met = tmp_path / "no" / "a.db", tmp_path / "empty.db", tmp_path / "met.db"
    empty.touch()
    with Store(met) as store:
        journal = store.meet(hello_of(), 5)
        store.keep_blocks(store.meet_ring(journal, b"ring", 5), dict(enumerate(walked().blocks)))
    for path, words in (
        (gone, f"there is no store: {gone} is not there; 'walktall download' makes it"),
        (empty, f"there is no store: {empty} is empty; 'walktall download' makes it"),
        (met, "no walk yet: a session without walking leaves no record"),
    ):
        if path == met and command[0] == "backup":
            continue
        told, out, err = run(capsys, *command, "--store", path)
        assert (told, out) == (status, "")
        assert words in err
    assert not gone.parent.exists()
    assert empty.read_bytes() == b""


def test_nothing_plugged_in_says_what_to_do(
    path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ports, "list_ports", list)
    status, _, err = run(capsys, "download", "--store", path)
    assert status == 3
    assert "plug it in" in one_line(err)
    status, _, err = run(capsys, "ports")
    assert status == 0
    assert "no clip" in err
    console = [ports.Found("/dev/x", "a board", ports.CONSOLE, "", "")]
    monkeypatch.setattr(ports, "list_ports", lambda: console)
    status, _, err = run(capsys, "info")
    assert "firmware" in one_line(err)


def test_without_a_port_every_clip_that_answers_is_downloaded(
    path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = Desk(seed=1), Desk(seed=2)
    one.record(601)
    two.record(602)
    with on_pty(one) as a, on_pty(two) as b:
        found = [
            ports.Found(a, "", ports.DATA, "", ""),
            ports.Found("/dev/no-such-port", "", ports.DATA, "", ""),
            ports.Found(b, "", ports.DATA, "", ""),
        ]
        monkeypatch.setattr(ports, "list_ports", lambda: found)
        status, out, _ = run(capsys, "download", "--store", path)
        assert status == 0
        assert out.count("1 new session") == 2
    status, out, _ = run(capsys, "sessions", "--store", path)
    assert "clip" in out.splitlines()[0]
    assert len(out.splitlines()) == 3


def test_of_two_clips_one_that_fails_does_not_keep_the_other_waiting(
    path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = Desk(seed=1), Desk(seed=2)
    bad.record(601)
    good.record(602)
    monkeypatch.setattr(bad.journal, "acknowledge", lambda *_: 1 / 0)
    monkeypatch.setattr(bad.journal, "commit", lambda *_: 1 / 0)
    bad.journal.unsaved = 1
    with on_pty(bad) as a, on_pty(good) as b:
        found = [ports.Found(at, "", ports.DATA, "", "") for at in (a, b, "/dev/no-such-port")]
        monkeypatch.setattr(ports, "list_ports", lambda: found)
        status, out, err = run(capsys, "download", "--store", path)
    assert status == 4
    assert "1 new session" in out
    assert "note: there is no port /dev/no-such-port" in err
    assert err.splitlines()[-1].startswith("walktall: the clip refused: fetch: internal")


def test_a_clip_is_chosen_by_how_its_id_begins(
    clip: tuple[Desk, str], path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = json.loads(run(capsys, "info", "--port", clip[1], "--json")[1])["devices"][0]["name"]
    assert run(capsys, "info", "--port", clip[1], "--device", name.upper())[0] == 0
    other = "0" if name[0] != "0" else "1"
    status, _, err = run(capsys, "info", "--port", clip[1], "--device", other)
    assert status == 3
    assert "not" in one_line(err)


def test_another_programs_device_is_told_apart_and_gets_no_console_keys(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        status, _, err = run(
            capsys, "download", "--port", f"socket://127.0.0.1:{listener.getsockname()[1]}", "--store", path
        )
        peer, _ = listener.accept()
        with peer:
            heard = peer.recv(4096)
    assert status == 3
    assert "another program's device" in one_line(err)
    assert heard
    assert not {3, 4} & set(heard)


def test_a_port_that_another_program_holds_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    import fcntl

    with on_pty(Desk()) as port:
        fd = os.open(port, os.O_RDWR | os.O_NOCTTY)
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        status, _, err = run(capsys, "info", "--port", port)
        os.close(fd)
    assert status == 3
    # It is this very program, which is not named.
    assert "in use by another program" in one_line(err)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_a_port_that_is_taken_names_the_program(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from walktall_host import transport

    code = "import fcntl, os, sys, time; fd = os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY); fcntl.flock(fd, 2); "
    with on_pty(Desk()) as port:
        other = subprocess.Popen(
            [sys.executable, "-c", code + "print(); sys.stdout.flush(); time.sleep(30)", port], stdout=subprocess.PIPE
        )
        assert other.stdout is not None
        other.stdout.readline()
        name = Path(f"/proc/{other.pid}/comm").read_text().strip()
        # Whoever merely has it open besides, as the program behind a virtual clip has, is not what stands in the way.
        holds = transport._who_holds
        monkeypatch.setattr(transport, "_who_holds", lambda name: "walktall-sim")
        status, _, err = run(capsys, "info", "--port", port)
        assert holds(port) == name
        monkeypatch.setattr(transport, "_who_locks", lambda name: "")
        monkeypatch.setattr(transport, "_who_holds", lambda name: "ModemManager")
        modem = run(capsys, "info", "--port", port)[2]
        other.kill()
        other.wait()
    assert status == 3
    assert f"is in use by {name}: close it" in one_line(err)
    assert "ports --udev" in one_line(modem)


def test_a_forbidden_port_names_the_group_that_may(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from walktall_host import transport

    port = tmp_path / "ttyACM0"
    port.write_text("")
    fault = transport._why_not_open(str(port), PermissionError(13, "Permission denied"))
    assert "you may not open" in str(fault)
    assert fault.exit_code == 3  # type: ignore[attr-defined]
    if sys.platform == "linux":
        monkeypatch.setattr(os, "stat", lambda name: type("S", (), {"st_gid": 20, "st_mode": stat.S_IFCHR})())
        assert "group 'dialout' may" in str(transport._why_not_open("/dev/x", PermissionError(13, "denied")))


def test_texts_of_the_clip_reach_the_terminal_without_escapes(
    clip: tuple[Desk, str], path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, port = clip
    evil = "\x1b]0;owned\x07[bold]\r"

    def hello_into(values: list[int | bytes | str]) -> None:
        values[wire.H_BOARD] = evil
        values[wire.H_CHIP] = evil
        values[wire.H_LAST_ERROR] = evil
        values[wire.H_ERRORS] = 5

    monkeypatch.setattr(desk.handler, "hello_into", hello_into)
    for arguments in (["info"], ["info", "--json"], ["download", "--store", str(path)]):
        status, out, err = run(capsys, *arguments, "--port", port)
        assert status == 0
        assert not set("\x1b\x07\r") & set(out + err)
        if arguments == ["info"]:
            assert "?]0;owned?[bold]?" in out


def test_a_refusal_of_the_clip_is_status_4(
    clip: tuple[Desk, str], path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, port = clip
    monkeypatch.setattr(desk.journal, "index_from", lambda seq: 1 / 0)
    status, _, err = run(capsys, "download", "--port", port, "--store", path)
    assert status == 4
    assert err.splitlines()[-1].startswith("walktall: ")


def test_a_fault_of_the_tool_itself_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "default_path", lambda: 1 / 0)
    status, _, err = run(capsys, "db")
    assert status == 1
    assert "ZeroDivisionError" in one_line(err)


def test_alone_it_says_what_to_do_next(
    clip: tuple[Desk, str], path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ports, "list_ports", list)
    monkeypatch.setattr(cli, "default_path", lambda: path)
    status, out, _ = run(capsys)
    assert status == 0
    assert "No clip found: plug it in" in out
    monkeypatch.setenv("WALKTALL_PORT", clip[1])
    assert re.search(r"3 sessions to fetch, its clock is not set\. Next: walktall download", run(capsys)[1])
    run(capsys, "download")
    status, out, _ = run(capsys)
    assert "3 sessions in the store" in out
    assert "nothing new, it does not know your upright. Next: walktall calibrate" in out


def test_the_version_is_the_firmwares_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "--version") == (0, f"walktall {__version__}\n", "")


COMMANDS = sorted(
    [command.name or command.callback.__name__ for command in app.registered_commands if command.callback]
    + [
        f"{group.name} {command.name or command.callback.__name__}"
        for group in app.registered_groups
        if group.typer_instance
        for command in group.typer_instance.registered_commands
        if command.callback
    ]
)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, *command.split(), "--help")
    assert status == 0
    assert f"walktall {command}" in " ".join(out.split()).replace("Usage: walktall " + command, "", 1)


def test_every_command_is_in_its_page() -> None:
    page = (Path(__file__).parent.parent / "docs" / "host.md").read_text()
    for command in COMMANDS:
        assert f"`walktall {command}" in page.replace("[get", "get")


def environment(path: Path, **more: str) -> dict[str, str]:
    return {**os.environ, "WALKTALL_STORE": str(path), "PYTHONWARNINGS": "error", **more}


def test_ctrl_c_in_mid_transfer_ends_with_130_and_loses_nothing(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    desk = Desk()
    for n in range(24):
        desk.record(300 + n)
    desk.port.takes = 40  # slowly
    write = desk.port.write
    desk.port.write = lambda buf: (time.sleep(0.01), write(buf))[1]  # type: ignore[method-assign]
    with on_pty(desk) as port:
        process = subprocess.Popen(
            [*WALKTALL, "download", "--port", port],
            env=environment(path),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        end = time.monotonic() + 20
        while not path.exists() or not _records(path):
            assert time.monotonic() < end
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
        assert process.returncode == 130
        assert err.splitlines()[-1] == "walktall: stopped; what was done is kept"
        assert "Traceback" not in err
        assert 0 < _records(path) < 24
        desk.port.takes = 1024
        assert run(capsys, "download", "--port", port, "--store", path)[0] == 0
    assert _records(path) == 24
    assert desk.journal.unacknowledged == 0


def _records(path: Path) -> int:
    import sqlite3

    try:
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            return int(db.execute("SELECT count(*) FROM record").fetchone()[0])
        finally:
            db.close()
    except sqlite3.Error:
        return 0


def test_a_reader_that_goes_away_is_no_error(clip: tuple[Desk, str], path: Path) -> None:
    main(["download", "--port", clip[1], "--store", str(path), "--quiet"])
    process = subprocess.run(
        f"{sys.executable} -m walktall_host report | head -1; exit ${{PIPESTATUS[0]}}",
        shell=True,
        executable="/bin/bash",
        env=environment(path),
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (process.returncode, process.stderr) == (0, "")


@pytest.mark.parametrize(
    ("to", "status", "told"),
    [
        ("> /dev/full", 2, "walktall: standard output: No space left on device\n"),
        (">&-", 0, ""),
        ("| true", 0, ""),
    ],
)
def test_what_cannot_be_written_is_told_in_one_line(
    clip: tuple[Desk, str], path: Path, to: str, status: int, told: str
) -> None:
    main(["download", "--port", clip[1], "--store", str(path), "--quiet"])
    process = subprocess.run(
        f"set -o pipefail; {sys.executable} -m walktall_host report --html - {to}",
        shell=True,
        executable="/bin/bash",
        env=environment(path),
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (process.returncode, process.stderr) == (status, told)


def test_a_terminal_without_unicode_gets_question_marks_not_errors(clip: tuple[Desk, str], path: Path) -> None:
    main(["download", "--port", clip[1], "--store", str(path), "--quiet"])
    process = subprocess.run(
        [*WALKTALL, "report"],
        env=environment(path, PYTHONIOENCODING="ascii", LC_ALL="C"),
        capture_output=True,
        timeout=30,
    )
    assert process.returncode == 0, process.stderr
    assert b"?3?" in process.stdout


def on_terminal(arguments: list[str], env: dict[str, str]) -> str:
    """What a person sees: the command on a real pty of 80 columns."""
    import fcntl
    import pty
    import struct
    import termios

    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 80, 0, 0))
    process = subprocess.Popen([*WALKTALL, *arguments], stdin=slave, stdout=slave, stderr=slave, env=env)
    os.close(slave)
    seen = b""
    while True:
        try:
            data = os.read(master, 4096)
        except OSError:
            break
        if not data:
            break
        seen += data
    assert process.wait(20) == 0
    os.close(master)
    return seen.decode()


def test_on_a_terminal_there_are_colours_and_bars_unless_no_color_says_otherwise(
    clip: tuple[Desk, str], path: Path
) -> None:
    env = environment(path, TERM="xterm-256color")
    env.pop("NO_COLOR", None)
    seen = on_terminal(["download", "--port", clip[1]], env)
    assert "3 new sessions" in seen
    seen = on_terminal(["report"], env)
    assert "\x1b[32m" in seen
    assert "█" in seen
    seen = on_terminal(["report"], {**env, "NO_COLOR": "1"})
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", seen)
    assert "█" in seen


def test_dates_of_the_report_follow_the_zone_of_the_computer(clip: tuple[Desk, str], path: Path) -> None:
    assert UTC_S % 86400 == 36000
    main(["download", "--port", clip[1], "--store", str(path), "--quiet"])
    for zone, time_ in (("UTC", "10:00"), ("Europe/Berlin", "11:00"), ("America/New_York", "05:00")):
        process = subprocess.run(
            [*WALKTALL, "report"], env=environment(path, TZ=zone), capture_output=True, text=True, timeout=30
        )
        assert f"1 March 2026, {time_} to" in process.stdout


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"battery_mv": 3400}, "the battery is low"),
        ({"errors": 3, "last_error": "imu: OSError"}, "something went wrong in it (imu: OSError): it went on"),
        ({"last_error": "last run: KeyError"}, "it tells of its start: last run: KeyError"),
        ({"last_error": "toml: MOTOR_PINN"}, "settings.toml: WALKTALL_MOTOR_PINN is refused or not known"),
        ({"fw_version": 1}, "its firmware is older than this tool"),
        ({"utc_s": 0}, "its clock is not set"),
        ({"utc_s": 1000}, "slow: 'walktall download' sets it"),
        ({"flags": 0}, "it does not know your upright"),
        ({"flags": wire.HF_CALIBRATED | wire.HF_TRACE_FAULT}, "its trace cannot be written"),
        ({"flags": wire.HF_CALIBRATED | wire.HF_MAINTENANCE}, "'walktall install' gives it back"),
        ({"flags": wire.HF_CALIBRATED | wire.HF_SENSOR_FAULT}, "its motion sensor does not answer"),
        ({"unacknowledged": 40, "capacity": 41}, "nearly full"),
    ],
)
def test_info_warns_of_what_the_walker_should_do_something_about(told: dict[str, int | str], words: str) -> None:
    from tests.test_host_store import hello_of

    well: dict[str, int | bytes | str] = {
        "flags": wire.HF_CALIBRATED,
        "utc_s": int(time.time()) - records.EPOCH_UNIX_S,
        "fw_version": records.version_number(),
        "battery_mv": 4000,
        "capacity": 41,
    }
    assert cli._warnings(hello_of(**well)) == []
    (warning,) = cli._warnings(hello_of(**{**well, **told}))
    assert words in warning


@pytest.mark.parametrize(
    ("reason", "words"),
    [(0, ""), (1, ", after power-on"), (2, ", after a brown-out"), (6, "watchdog's reset"), (7, "")],
)
def test_info_tells_why_the_clip_last_started(reason: int, words: str) -> None:
    from rich.console import Console

    from tests.test_host_store import hello_of

    console = Console(width=100, record=True, file=io.StringIO())
    console.print(*cli._info_lines(hello_of(reset_reason=reason, uptime_s=65, boot=4), "/dev/ttyACM0"))
    (line,) = [line.rstrip() for line in console.export_text().splitlines() if line.startswith("running")]
    assert line.endswith(words or "1 min 05 s, its boot 4")
