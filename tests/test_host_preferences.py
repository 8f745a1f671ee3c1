"""The walker's own defaults, and the rule that opens the ports."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from walktall import boards
from walktall_host import configure, ports, preferences
from walktall_host import settings_words as words

from tests.desk_device import Desk
from tests.host_clip import on_socket
from tests.test_host_cli import one_line, run

PAGE = Path(__file__).parent.parent / "docs" / "host.md"


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "config.toml"
    monkeypatch.setenv("WALKTALL_CONFIG", str(path))
    for name in ("PORT", "DEVICE", "STORE"):
        monkeypatch.delenv(f"WALKTALL_{name}", raising=False)
    return path


@pytest.fixture
def port() -> Iterator[str]:
    desk = Desk()
    desk.record(600)
    with on_socket(desk) as port:
        yield port


def test_what_the_file_says_stands_for_what_is_not_typed(
    config: Path, port: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "mine.sqlite3"
    config.write_text(f'port = "{port}"\nstore = "{store}"\n')
    assert "1 session to fetch" in run(capsys)[1]
    assert run(capsys, "download", "--quiet")[0] == 0
    assert store.exists()
    assert run(capsys, "db")[1] == f"{store}\n"
    # In a command of a group, too.
    assert "hold_s" in run(capsys, "settings", "get", "hold_s")[1]
    assert "hold_s" in run(capsys, "settings")[1]
    # What is typed counts for more, and so does the environment.
    assert run(capsys, "db", "--store", tmp_path / "other")[1] == f"{tmp_path / 'other'}\n"
    monkeypatch.setenv("WALKTALL_STORE", str(tmp_path / "third"))
    assert run(capsys, "db")[1] == f"{tmp_path / 'third'}\n"
    assert run(capsys, "info", "--port", "socket://localhost:1")[0] == 3


def test_home_is_where_the_tilde_points(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    config.write_text('store = "~/walks.db"\n')
    assert run(capsys, "db")[1] == f"{tmp_path}/walks.db\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("devise = 'x'\n", "nothing is called devise; there are device, port, store"),
        ("device = 3\n", "device is a text"),
        ("device = \n", "is not TOML"),
        ("[device]\nx = 1\n", "device is a text"),
        ("\x1b[31m = 'x'\n", "is not TOML"),
        (b"\xff\xfe", "config.toml cannot be read: it is no text in UTF-8"),
        (None, "config.toml cannot be read: it is a folder"),
    ],
)
def test_a_file_that_makes_no_sense_is_one_line_and_names_itself(
    text: str | bytes | None, said: str, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if text is None:
        config.mkdir()
    else:
        config.write_bytes(text if isinstance(text, bytes) else text.encode())
    status, out, err = run(capsys, "db")
    assert (status, out) == (2, "")
    assert said in one_line(err)
    assert err.count(str(config)) == 1
    assert "\x1b" not in err
    # Help is there all the same.
    assert run(capsys, "--help")[0] == 0


def test_without_a_file_nothing_changes(config: Path) -> None:
    assert preferences.load() == {}


def test_the_page_tells_every_name_of_the_file() -> None:
    page = PAGE.read_text()
    told = page.split("<!-- begin: config -->\n")[1].split("<!-- end: config -->")[0]
    rows = "".join(f"| `{name}` | {meaning} |\n" for name, meaning in preferences.KEYS.items())
    assert told == "| name | what it stands for |\n| --- | --- |\n" + rows


def test_the_rule_for_linux_names_every_board_and_keeps_modemmanager_away(capsys: pytest.CaptureFixture[str]) -> None:
    status, rule, err = run(capsys, "ports", "--udev")
    assert (status, err) == (0, "")
    for vendor, product in ports.BOARDS:
        ids = (f'"{vendor:04x}"', f'"{product:04x}"')
        (usb,) = re.findall(rf'^SUBSYSTEM=="usb".*ATTR{{idVendor}}=={ids[0]}.*=={ids[1]}.*$', rule, re.MULTILINE)
        (tty,) = re.findall(rf'^SUBSYSTEM=="tty".*ATTRS{{idVendor}}=={ids[0]}.*=={ids[1]}.*$', rule, re.MULTILINE)
        assert 'ENV{ID_MM_DEVICE_IGNORE}="1"' in usb
        assert 'TAG+="uaccess"' in tty
    known = {(boards.select(name).usb_vid, boards.select(name).usb_pid) for name in boards.names()}
    assert known == set(ports.BOARDS)


# --- what a changed setting changes ----------------------------------------------------------------------------------


def test_every_setting_that_changes_behaviour_says_how(
    port: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(configure, "_KEPT_WITHIN_S", 0.0)
    _, out, _ = run(capsys, "settings", "set", "hold_s=20", "--port", port)
    assert "hold_s: 10 s -> 20 s" in out
    assert "it buzzes later: after 20 s of leaning instead of 10 s, while you walk" in out
    _, out, _ = run(capsys, "settings", "set", "on_deg=15", "--port", port)
    assert "it lets more pass: a forward fault begins beyond 15°, before beyond 12°" in out


def test_no_change_of_any_setting_is_without_words() -> None:
    from walktall import settings

    for index, (name, _, default, least, greatest) in enumerate(settings.SETTINGS):
        for old, new in ((default, least), (default, greatest), (greatest, default)):
            if old != new:
                told = words.effect(index, old, new)
                assert told and len(told) < 110, name
                assert told != words.effect(index, new, old), name


def test_the_shell_completes_settings_and_their_words() -> None:
    assert [name for name, _ in configure.complete_name("hold")] == ["hold_s"]
    assert [text for text, _ in configure.complete_change("mo")] == ["mode="]
    assert [text for text, _ in configure.complete_change("mode=")] == ["mode=walk", "mode=desk"]
    assert configure.complete_change("hold_s=") == configure.complete_change("nothing=") == []


def test_the_shell_asks_the_program_itself(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    import os
    import subprocess
    import sys

    env = {
        **os.environ,
        "_WALKTALL_COMPLETE": "complete_bash",
        "COMP_WORDS": "walktall settings set coach",
        "COMP_CWORD": "3",
    }
    code = "import sys; sys.argv[0] = 'walktall'; from walktall_host.cli import app; app(prog_name='walktall')"
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=30, check=False
    )
    assert "coaching=" in done.stdout
