"""The page of the report without a browser: whole files, every second in its place, no string out of its own."""

import io
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from walktall import records as r
from walktall_host import page, report, weeks
from walktall_host.cli import main
from walktall_host.errors import BadInput
from walktall_host.figures import figures_of
from walktall_host.store import Session, Store
from walktall_host.track import Track

from tests.made_pages import BERLIN, HOSTILE, full_walk, hostile, many_walks, walk_of
from tests.made_trace import record_of

VOID = {"meta", "br", "hr", "img", "input", "link"}


class Reader(HTMLParser):
    """Tags in their order, texts, attributes; complains of what is not closed in its place."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str | None]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data + " "


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert reader.open == []
    return reader


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Session, Track | None]:
    return walk_of(full_walk(), tmp_path_factory.mktemp("walk"), discomfort_marks=1, ignored=3)


def test_a_page_carries_no_script_no_link_and_one_style_sheet_that_its_policy_names(
    walked: tuple[Session, Track | None],
) -> None:
    reader = read(page.walks_page([walked], BERLIN))
    assert not {"script", "link", "img", "iframe", "object", "a-href", "form"} & set(reader.tags)
    assert reader.tags.count("style") == 1
    (policy,) = [
        value for tag, name, value in reader.attributes if name == "content" and "default-src" in (value or "")
    ]
    assert policy is not None
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    for _, name, value in reader.attributes:
        assert name != "style" and not name.startswith("on"), name
        if name in ("href", "src"):
            assert value == "#main"


def test_every_second_of_the_walk_stands_on_the_page(walked: tuple[Session, Track | None]) -> None:
    session, _ = walked
    words = " ".join(read(page.walks_page([walked], BERLIN)).text.split())
    figures = figures_of(session)
    from walktall_host.terminal import duration

    for part in [*figures.judged, *figures.left_out]:
        assert f"{part.words} {duration(part.seconds)} {part.pct} %" in words
    assert f"worn {duration(figures.worn_s)} 100 %" in words


def test_page_and_terminal_say_the_same(walked: tuple[Session, Track | None]) -> None:
    session, track = walked
    words = " ".join(read(page.walks_page([walked], BERLIN)).text.split())
    stream = io.StringIO()
    report.report(Console(file=stream, width=200), session, BERLIN, track)
    figures = figures_of(session)
    for name, value in [
        *report.fault_rows(session, figures),
        *report.walking_rows(session, figures.judged_s),
        *report.clip_rows(session),
    ]:
        assert f"{name} {value}" in words, name
        assert value in " ".join(stream.getvalue().split()), (name, value)


def test_a_walk_without_a_trace_says_so_and_shows_what_the_record_knows(tmp_path: Path) -> None:
    session, track = walk_of(full_walk(), tmp_path, traced=False)
    assert track is None
    words = read(page.walks_page([(session, track)], BERLIN)).text
    assert "No trace of this walk is here" in words
    assert "Where each second went" in words
    assert "path" not in set(read(page.walks_page([(session, track)], BERLIN)).tags) - {"path"}


def test_names_that_try_everything_stay_texts(walked: tuple[Session, Track | None]) -> None:
    session, track = walked
    plain = read(page.walks_page([(session, track)], BERLIN))
    tried = read(page.walks_page([(hostile(session), track)], BERLIN))
    assert tried.tags == plain.tags
    assert "<script>alert(1)</script>" in tried.text
    assert "{{7*7}}" in tried.text
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", tried.text)
    assert len(tried.text) < len(plain.text) + 800


@settings(max_examples=30)
@given(name=st.text(max_size=300), person=st.text(max_size=300))
def test_no_name_changes_what_the_terminal_and_the_page_are_made_of(
    walked: tuple[Session, Track | None], name: str, person: str
) -> None:
    from dataclasses import replace

    session = replace(walked[0], nickname=name, person=person)
    stream = io.StringIO()
    report.report(Console(file=stream, width=100, force_terminal=False), session, BERLIN)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", stream.getvalue())
    reader = read(page.walks_page([(session, None)], BERLIN))
    assert "script" not in reader.tags


def test_any_numbers_that_a_clip_may_send_make_a_page(chance: random.Random) -> None:
    ends = {"B": (0, 255), "b": (-128, 127), "H": (0, 65535), "h": (-32768, 32767), "I": (0, 2**32 - 1)}
    for n in range(60):
        fields = record_of([])
        for name, kind, *_ in r.SESSION_FIELDS:
            low, high = ends.get(str(kind)[:1], (0, 2**24 - 1))
            # Ends and zeros, where divisions and dates break, as often as what lies between.
            fields[str(name)] = chance.choice((low, high, 0, 1, chance.randint(low, high), chance.randint(low, high)))
        session = Session(n, b"\x00" * 8, b"\x00" * 4, fields, True, 9000, 1, 9000)
        text = page.walks_page([(session, None)], BERLIN)
        report.report(Console(file=io.StringIO(), width=80), session, BERLIN)
        assert not re.search(r"\b(nan|inf)\b", text)
        found = weeks.last_weeks([session], 3, {}, BERLIN)
        if found is not None:
            page.weeks_page(found, {}, BERLIN)


def test_a_page_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "walk.html"
    path.write_text("the one before")

    def fails(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", fails)
    with pytest.raises(BadInput, match="No space left"):
        page.write(path, "x" * 100000)
    assert path.read_text() == "the one before"
    assert [entry.name for entry in tmp_path.iterdir()] == ["walk.html"]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("store")
    many_walks(folder, 56)
    yield folder / "many.sqlite3"


def run(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    status = main([str(a) for a in arguments])
    done = capsys.readouterr()
    return status, done.out, done.err


def test_report_writes_one_html_file_and_says_where(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (["1"], [], ["--last", "3"], ["--weeks", "4"]):
        path = tmp_path / f"r{len(words)}.html"
        status, out, err = run(capsys, "report", *words, "--html", path, "--store", store)
        assert (status, out) == (0, "")
        assert f"wrote {path}" in err
        read(path.read_text())
        assert [entry for entry in tmp_path.iterdir() if entry.suffix != ".html"] == []
    status, out, err = run(capsys, "report", "--html", "-", "--store", store)
    assert (status, out[:15], err) == (0, "<!doctype html>", "")
    assert run(capsys, "report", "--html", tmp_path / "q.html", "--quiet", "--store", store) == (0, "", "")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--weeks", "4", "--last", "2"], "exclude each other"),
        (["3", "--weeks", "4"], "exclude each other"),
        (["--json", "--html", "x.html"], "exclude each other"),
        (["--weeks", "0"], "--weeks"),
        (["--html", "."], "is a folder"),
        (["--html", "nowhere/at/all.html"], "cannot be written"),
    ],
)
def test_what_cannot_be_reported_is_told_in_one_line(
    store: Path, words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = run(capsys, "report", *words, "--store", store)
    assert (status, out, len(err.splitlines())) == (2, "", 1)
    assert told in err


def test_walks_of_two_people_make_no_common_weeks(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "two.sqlite3"
    copy.write_bytes(store.read_bytes())
    with Store(copy) as opened:
        from walktall_host.client import Sent

        from tests.made_trace import hello_of, record_of, slot_of

        hello = hello_of(journal_id=b"\x07" * 4)
        journal = opened.meet(hello, 5)
        opened.keep(journal, [Sent(1, True, slot_of(record_of([], seq=1, start_utc_s=194_000_000)))], hello, 5)
        opened.set_person(hello.device_id, "Anna")
    status, _, err = run(capsys, "report", "--weeks", "4", "--store", copy)
    assert (status, len(err.splitlines())) == (2, 1)
    assert "several people" in err and "Anna" in err
    assert run(capsys, "report", "--weeks", "4", "--device", "anna", "--store", copy)[0] == 0


def test_weeks_on_the_terminal_fit_it_and_conclude_the_same_as_the_page(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    status, out, _ = run(capsys, "report", "--weeks", "8", "--store", store)
    assert status == 0
    assert max(len(line) for line in out.splitlines()) <= 80
    words = " ".join(out.split())
    run(capsys, "report", "--weeks", "8", "--html", tmp_path / "w.html", "--store", store)
    shown = " ".join(read((tmp_path / "w.html").read_text()).text.split())
    for told in (
        "The goal (3 days or more",
        "The buzz helps you: over",
        "rises: by",
        "Brisk, you lean further forward",
    ):
        assert told in words, told
        sentence = words[words.index(told) :].split(". ")[0]
        assert sentence in shown, sentence


def test_the_base_install_makes_the_page(tmp_path: Path, store: Path) -> None:
    """Without what only extras bring: nothing of it is imported."""
    heavy = ("numpy", "polars", "altair", "matplotlib", "dask", "fit_tool", "playwright")
    code = (
        f"import sys\nfor name in {heavy!r}: sys.modules[name] = None\n"
        f"from walktall_host.cli import main\n"
        f"sys.exit(main(['report', '--weeks', '4', '--html', {str(tmp_path / 'w.html')!r}, '--store', {str(store)!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "w.html").stat().st_size > 20000
    assert HOSTILE not in (tmp_path / "w.html").read_text()


def test_a_download_makes_the_digests_so_that_no_report_has_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from walktall_host import digests

    from tests.desk_device import Desk
    from tests.host_clip import on_socket
    from tests.made_trace import blocks, plain_walk

    desk = Desk()
    desk.record(600, start_uptime_s=40)
    assert desk.handler.trace is not None
    for raw in blocks(plain_walk(600), boot=1, start_uptime_s=40, number=0).values():
        desk.handler.trace.add(raw)
    store = tmp_path / "s.sqlite3"
    with on_socket(desk) as port:
        status, out, _ = run(capsys, "download", "--port", port, "--store", store)
    assert (status, "You can unplug" in out) == (0, True)
    monkeypatch.setattr(digests.trace, "session_rows", lambda *_: 1 / 0)
    status, out, err = run(capsys, "report", "--weeks", "4", "--store", store)
    assert (status, err) == (0, "")
    assert "1 with a trace" in out
