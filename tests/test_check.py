"""`walktall-sim check`: suites are read strictly, judged rightly, compared, and told in JUnit's form."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Literal

import pytest
from walktall_sim import checking, compare, page, suites
from walktall_sim.cli import run

from tests.sim_files import real

GOOD = """\
[[case]]
name = "a lean"
walk = { plan = "stand:6,walk:54", seed = 3 }
turns = ["20@35+15/1"]
settings = { hold_s = 5 }
expect = [
    { event = "buzz", fault = "forward", from_s = 38, to_s = 46 },
    { event = "slip", times = 0 },
    { field = "wear_s", is = 60 },
    { recovered_within_s = 20 },
]
"""


def suite(tmp_path: Path, text: str, name: str = "mine") -> Path:
    path = tmp_path / f"{name}.toml"
    path.write_text(text)
    return path


def told(capsys: pytest.CaptureFixture[str], *arguments: str | Path, status: int = 0) -> list[dict[str, Any]]:
    capsys.readouterr()
    assert run(["check", "--json", "--jobs", "1", *map(str, arguments)]) == status
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize("kind", ["made", "recorded"])
def test_a_turn_behind_the_walks_end_is_told_with_the_suites_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, kind: str
) -> None:
    walk = 'walk = { plan = "stand:6,walk:54", seed = 3 }'
    text = GOOD.replace('turns = ["20@35+15/1"]', 'turns = ["20@35+15/1", "10@70+5/1"]')
    if kind == "recorded":
        assert run(["generate", "--plan", "stand:6,walk:54", "--seed", "3", "--out", str(tmp_path / "walk.csv")]) == 0
        text = text.replace(walk, 'recording = "walk.csv"')
    path = suite(tmp_path, text)
    capsys.readouterr()
    assert run(["check", "--json", "--jobs", "1", str(path)]) == 0
    shown = capsys.readouterr()
    note = "the walk ends at 60.0 s, before the turn at 70 s, which turns nothing"
    assert shown.err == f"walktall-sim: {path}:1: {note}\n"
    assert json.loads(shown.out.splitlines()[0])["notes"] == [note]


def test_what_is_expected_and_comes_passes(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    case, totals = told(capsys, suite(tmp_path, GOOD))
    assert case["status"] == "passed" and all(one["held"] for one in case["checks"]), case
    assert totals == {"event": "totals", "cases": 1, "passed": 1, "failed": 0, "skipped": 0}


@pytest.mark.parametrize(
    ("expect", "found"),
    [
        ("event = 'buzz', times = 0", "1 at"),
        ("event = 'buzz', to_s = 30", "none there, but at"),
        ("event = 'buzz', label = 'SLOUCH'", "none there, but at"),
        ("event = 'buzz', fault = 'back'", "0"),
        ("field = 'wear_s', is = 61", "60"),
        ("field = 'upright_pct', least = 99", ""),
        ("recovered_within_s = 0.5", "not of the buzz at"),
        ("pitch_deg = 0, at_s = 40, within_deg = 2", "°"),
        ("pitch_deg = 0, at_s = 400, within_deg = 2", "no pitch"),
        ("metric = 'found', is = 0", "1"),
        ("metric = 'latency_median_s', most = 4", "5."),
        ("metric = 'false_alarms_per_h', least = 0.1", "0"),
    ],
)
def test_what_is_expected_and_does_not_come_fails_and_says_what_came(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, expect: str, found: str
) -> None:
    text = GOOD.split("expect")[0] + f"expect = [{{ {expect} }}]\n"
    case, totals = told(capsys, suite(tmp_path, text), status=1)
    assert (case["status"], totals["failed"]) == ("failed", 1)
    assert [one["held"] for one in case["checks"]] == [False] and found in case["checks"][0]["found"]


WRONG = {
    "not TOML": ("[[case]]\nname = \n", 2, "not TOML"),
    "no case": ("title = 'x'\n", 1, "needs cases"),
    "unknown key": (GOOD.replace("turns", "turnz"), 4, "turnz"),
    "wrong turn": (GOOD.replace("20@35+15/1", "20@35"), 4, "DEG@START"),
    "unknown setting": (GOOD.replace("hold_s = 5", "hold = 5"), 5, "hold"),
    "setting out of range": (GOOD.replace("hold_s = 5", "hold_s = 5000"), 5, "hold_s"),
    "wrong plan": (GOOD.replace("walk:54", "fly:54"), 3, "fly"),
    "seed of text": (GOOD.replace("seed = 3", "seed = 'x'"), 3, "seed"),
    "unknown event": (GOOD.replace('"slip"', '"slips"'), 8, "slips"),
    "unknown field": (GOOD.replace("wear_s", "wear"), 9, "wear"),
    "window the wrong way round": (GOOD.replace("to_s = 46", "to_s = 4"), 7, "from_s"),
    "fewer times than none": (GOOD.replace('"slip", times = 0', '"slip", times = -1'), 8, "times"),
    "times and a half": (GOOD.replace('"slip", times = 0', '"slip", times = 1.5'), 8, "times"),
    "seed beyond the last": (GOOD.replace("seed = 3", f"seed = {2**63}"), 3, str(2**63 - 1)),
    "unknown metric": (GOOD.replace('field = "wear_s"', 'metric = "speed"'), 9, "speed"),
    "bounds the wrong way round": (GOOD.replace("is = 60", "least = 3, most = 2"), 9, "least"),
    "two of one name": (GOOD + GOOD, 13, "two cases"),
    "no expectation": (GOOD.split("expect")[0], 1, "expect"),
    "no walk": ("[[case]]\nname = 'x'\nexpect = [{ event = 'buzz' }]\n", 1, "walk"),
    "no recording": (
        "[[case]]\nname = 'x'\nrecording = 'gone.csv'\nexpect = [{ event = 'buzz' }]\n",
        3,
        "no such recording",
    ),
    "wrong fault": (GOOD + "faults = { lost = 1 }\n", 12, "lost"),
    "wrong defaults": ("[defaults]\npath = 'slow'\n" + GOOD, 3, "fast"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_suite_is_refused_with_file_and_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str
) -> None:
    text, line, word = WRONG[name]
    path = suite(tmp_path, text)
    assert run(["check", str(path)]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and word in err
    found = re.search(rf"{re.escape(str(path))}:(\d+): ", err)
    assert found and int(found[1]) == line, err


@pytest.mark.parametrize(
    "arguments",
    [["nothing"], ["made", "--jobs", "0"], ["made", "--against", "gone"], ["made", "--save", "no/such/x"]],
)
def test_wrong_use_is_one_line(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert run(["check", *arguments]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_case_for_many_is_a_case_each_and_defaults_are_everybodys(tmp_path: Path) -> None:
    text = "[defaults]\nsettings = { hold_s = 7 }\n" + GOOD.replace("seed = 3", "seed = [1, 2]").replace("5 }", "7 }")
    cases = suites.read(suite(tmp_path, text.replace("settings = { hold_s = 7 }\nexpect", "expect")))
    assert [case.name for case in cases] == ["a lean (seed 1)", "a lean (seed 2)"]
    assert all(list(case.options.settings) == [("hold_s", "7")] for case in cases)


def test_a_recording_is_found_beside_its_suite(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run(["generate", "--plan", "stand:6,walk:24", "--out", str(tmp_path / "walk.csv")]) == 0
    text = "[[case]]\nname = 'x'\nrecording = 'walk.csv'\nexpect = [{ event = 'buzz', times = 0 }]\n"
    assert told(capsys, suite(tmp_path, text))[0]["status"] == "passed"


def test_real_people_are_played_where_the_recordings_stand(capsys: pytest.CaptureFixture[str]) -> None:
    real("grouvel_sternum/P02.csv.gz")
    assert len(suites.read(suites.find("people")[0])) >= 30
    lines = told(capsys, "people", "--case", "in time: sternum (grouvel_sternum P02)")
    assert [line["status"] for line in lines if "case" in line] == ["passed"]


def test_without_recordings_their_cases_are_skipped_aloud(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RECORDINGS", str(tmp_path / "gone"))
    lines = told(capsys, "people")
    assert {line["status"] for line in lines if "case" in line} == {"skipped"}
    assert "RECORDINGS" in lines[0]["why"]


def test_processes_and_one_process_find_the_same(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = suite(tmp_path, GOOD.replace("seed = 3", "seed = [3, 4]"))
    assert run(["check", str(path), "--jobs", "1", "--save", str(tmp_path / "one")]) == 0
    assert run(["check", str(path), "--jobs", "2", "--save", str(tmp_path / "two")]) == 0
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


# --- JUnit --------------------------------------------------------------------------------------------------------

# junit-10.xsd of Jenkins' xUnit plugin, as far as it is used: attributes (those needed marked !) and children.
SCHEMA = {
    "testsuites": ({"name", "time", "tests", "failures", "errors"}, {"testsuite"}),
    "testsuite": (
        {
            *("name!", "tests!", "failures!", "errors!", "group", "time", "skipped", "timestamp", "hostname"),
            *("id", "package", "file", "log", "url"),
        },
        {"testsuite", "properties", "testcase", "system-out", "system-err"},
    ),
    "testcase": (
        {"name!", "classname", "time", "group"},
        {"skipped", "error", "failure", "system-out", "system-err"},
    ),
    "failure": ({"type", "message"}, set()),
    "skipped": ({"type", "message"}, set()),
}


def valid(node: ET.Element) -> None:
    attributes, children = SCHEMA[node.tag]
    assert {one[:-1] for one in attributes if one.endswith("!")} <= set(node.attrib)
    assert set(node.attrib) <= {one.rstrip("!") for one in attributes}
    for name in ("tests", "failures", "errors", "skipped"):
        assert node.get(name) is None or node.attrib[name].isdigit()
    assert node.get("time") is None or re.fullmatch(r"\d+\.\d+", node.attrib["time"])
    for child in node:
        assert child.tag in children
        valid(child)


def test_junit_holds_every_case_and_what_did_not_hold(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    text = GOOD + GOOD.replace('"a lean"', "'a \"<lean>\" & more'").replace("is = 60", "is = 61")
    path, out = suite(tmp_path, text), tmp_path / "out.xml"
    assert run(["check", str(path), "--jobs", "1", "--junit", str(out)]) == 1
    root = ET.parse(out).getroot()
    valid(root)
    (mine,) = root
    assert (mine.get("tests"), mine.get("failures"), mine.get("skipped")) == ("2", "1", "0")
    good, bad = mine
    assert good.find("failure") is None and good.get("classname") == "walktall.mine"
    failure = bad.find("failure")
    assert bad.get("name") == 'a "<lean>" & more' and failure is not None
    assert failure.get("message") == "expected wear_s = 61; found 60"
    assert failure.text is not None and failure.text.splitlines()[-1] == f"{path}:12"
    assert mine.get("file") == str(path)


def test_junit_tells_skipped_cases(tmp_path: Path) -> None:
    results = [checking.Result("s", "c", "f.toml:1", checking.SKIPPED, 0.0, why="not\x01 here")]
    root = ET.fromstring(checking.junit(results))
    valid(root)
    assert root[0].get("skipped") == "1" and root[0][0][0].get("message") == "not? here"


# --- the page -----------------------------------------------------------------------------------------------------


class Page(HTMLParser):
    """Tags, identifiers, what is referred to, and the text of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.refers: list[str] = []
        self.open: list[str] = []
        self.source = path.read_text()
        self.text = ""
        self.feed(self.source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.tags.append(tag)
        if values.get("id"):
            self.ids.append(values["id"] or "")
        if tag == "details" and "open" in values:
            self.open.append(values["id"] or "")
        for name, value in values.items():
            self.refers += re.findall(r"url\(([^)]*)\)", value or "")
            if name in ("href", "xlink:href", "src"):
                self.refers.append(value or "")

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_draws_every_case_and_needs_nothing_but_itself(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    text = GOOD + GOOD.replace('"a lean"', "'a \"<lean>\" & more'").replace("is = 60", "is = 61")
    path, out, kept = suite(tmp_path, text), tmp_path / "page.html", tmp_path / "kept"
    assert run(["check", str(path), "--case", "a lean", "--jobs", "1", "--save", str(kept)]) == 0
    arguments = ["--jobs", "1", "--html", str(out), "--against", str(kept)]
    assert run(["check", str(path), *arguments]) == 1
    page = Page(out)
    assert page.tags.count("svg") == page.tags.count("details") == 2
    assert not {"script", "link", "iframe", "img", "object"} & set(page.tags)
    # Names of two pictures do not meet, and all that is referred to is in the page.
    assert len(set(page.ids)) == len(page.ids)
    assert page.refers and {one.lstrip("#") for one in page.refers} <= set(page.ids), page.refers
    assert page.open == ["case-2"]
    words = ('a "<lean>" & more', "wear_s = 61", "1 failed", "1 passed", "What changed since kept", "new", f"{path}:12")
    for word in words:
        assert word in page.text, word
    assert "prefers-color-scheme: dark" in page.source and 'name="viewport"' in page.source
    # Colours are the page's own: none is left that would not turn with it.
    drawn = page.source.split("<svg", 1)[1]
    assert not re.search(r"(?:fill|stroke): #(?!000000)", drawn)


def test_the_page_is_the_same_from_one_process_and_from_two(tmp_path: Path) -> None:
    path = suite(tmp_path, GOOD.replace("seed = 3", "seed = [3, 4]"))
    for jobs in ("1", "2"):
        assert run(["check", str(path), "--jobs", jobs, "--html", str(tmp_path / jobs)]) == 0
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()


def test_the_page_is_readable_on_a_telephone_by_night_and_by_everybody(tmp_path: Path) -> None:
    from tests import browser

    path, out = suite(tmp_path, GOOD.replace("is = 60", "is = 61")), tmp_path / "page.html"
    assert run(["check", str(path), "--jobs", "1", "--html", str(out)]) == 1
    schemes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
    with browser.launched() as chromium:
        for scheme in schemes:
            with chromium.opened(out, width=360, scheme=scheme, judged=True) as seen:
                wide, ground, least = seen.page.evaluate(
                    """() => [document.documentElement.scrollWidth,
                    getComputedStyle(document.body).backgroundColor,
                    Math.min(...[...document.querySelectorAll("svg text")].map(one =>
                        parseFloat(getComputedStyle(one).fontSize) * one.ownerSVGElement.getBoundingClientRect().width
                        / one.ownerSVGElement.viewBox.baseVal.width))]"""
                )
                # Nothing runs out at the side, and the smallest letters of a picture are 6.5 px and more.
                assert wide <= 360 and least >= 6.5, (wide, least)
                assert (ground == "rgb(255, 255, 255)") == (scheme == "light")
                assert browser.violations(seen.page) == []
                assert seen.complaints == [] and seen.requests == [out.resolve().as_uri()]


def test_a_case_that_is_skipped_stands_in_the_page_with_the_reason() -> None:
    one = checking.Result("s", "c", "f.toml:1", checking.SKIPPED, 0.0, why="not <here>", notes=("no <turn>",))
    text = page.render([one]).decode()
    assert "Note: no &lt;turn&gt;." in text
    assert "not &lt;here&gt;" in text and "<svg" not in text


# --- comparing ----------------------------------------------------------------------------------------------------


def test_against_itself_nothing_changed(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path, kept = suite(tmp_path, GOOD), tmp_path / "kept.jsonl"
    assert run(["check", str(path), "--jobs", "1", "--save", str(kept)]) == 0
    assert run(["check", str(path), "--jobs", "1", "--against", str(kept)]) == 0
    assert "no change" in capsys.readouterr().out


def test_changed_settings_are_told_as_moved_events_in_text_and_markdown(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    kept, page = tmp_path / "kept.jsonl", tmp_path / "page.md"
    assert run(["check", str(suite(tmp_path, GOOD)), "--jobs", "1", "--save", str(kept)]) == 0
    slower = suite(tmp_path, GOOD.replace("hold_s = 5", "hold_s = 7"))
    arguments = ["--jobs", "1", "--against", str(kept), "--markdown", str(page)]
    assert run(["check", str(slower), *arguments]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"moved +forward buzz LEAN .* \(\+2\.\d\d s\)", shown), shown
    text = page.read_text()
    assert "| mine: a lean | moved | forward buzz LEAN" in text and "→" in text


def test_markdown_without_a_saved_run_tells_what_failed(tmp_path: Path) -> None:
    path, out = suite(tmp_path, GOOD.replace("is = 60", "is = 61").replace("a lean", "a | lean <b>")), tmp_path / "m.md"
    assert run(["check", str(path), "--jobs", "1", "--markdown", str(out)]) == 1
    text = out.read_text()
    assert "1 case: 1 failed." in text and "| mine: a \\| lean &lt;b> | wear_s = 61 | 60 |" in text
    assert "change" not in text


def test_markdown_stays_short_enough_for_a_comment() -> None:
    changes = [compare.Change(f"s: {n}", "lost", "forward buzz LEAN at 12.00 s " * 3) for n in range(5000)]
    text = compare.as_markdown(changes)
    assert len(text) < 65_536 and "and 4750 more changes." in text


def line(t_s: float, event: str = "buzz", **more: Any) -> dict[str, Any]:
    return {"t_s": t_s, "event": event, "fault": "forward", **more}


@pytest.mark.parametrize(
    ("before", "after", "kinds"),
    [
        ([line(10)], [line(10)], []),
        ([line(10)], [line(10.5)], ["moved"]),
        ([line(10)], [], ["lost"]),
        ([], [line(10)], ["gained"]),
        ([line(10)], [line(100)], ["lost", "gained"]),
        ([line(10), line(30)], [line(30)], ["lost"]),
        ([line(10), line(30)], [line(9), line(20), line(30)], ["moved", "gained"]),
        ([line(10, label="LEAN")], [line(10, label="SLOUCH")], ["relabelled"]),
    ],
)
def test_events_are_paired_with_their_nearest(
    before: list[dict[str, Any]], after: list[dict[str, Any]], kinds: list[str]
) -> None:
    then = {"s: c": {"case": "s: c", "status": "passed", "events": before, "summary": {}}}
    now = [checking.Result("s", "c", "f:1", checking.PASSED, 0.0, (), "", tuple(after), {})]
    assert [change.kind for change in compare.compare(then, now)] == kinds


def test_cases_that_are_new_gone_or_fail_now_are_told() -> None:
    then = {name: {"case": name, "status": "passed", "events": [], "summary": {}} for name in ("s: a", "s: b")}
    now = [checking.Result("s", name, "f:1", checking.FAILED, 0.0) for name in ("a", "c")]
    told = [(change.case, change.kind, change.text) for change in compare.compare(then, now)]
    assert told == [("s: a", "status", "passed -> failed"), ("s: c", "case", "new"), ("s: b", "case", "gone")]


@pytest.mark.parametrize("text", ["", "{}\n", "nonsense\n", '{"walktall_check": 2}\n', '{"walktall_check": 1}\n[]\n'])
def test_a_file_that_save_did_not_write_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, text: str
) -> None:
    (tmp_path / "kept").write_text(text)
    assert run(["check", "made", "--against", str(tmp_path / "kept")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


# --- cancelling ---------------------------------------------------------------------------------------------------


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_cancelled_it_ends_with_130_and_leaves_no_half_a_file(tmp_path: Path, jobs: str) -> None:
    path = suite(tmp_path, GOOD.replace("seed = 3", "seed = [3, 4, 5, 6, 7, 8, 9]").replace("walk:54", "walk:594"))
    command = [sys.executable, "-m", "walktall_sim", "check", str(path), "--json", "--jobs", jobs]
    out = [tmp_path / "a.xml", tmp_path / "b.jsonl"]
    with subprocess.Popen(
        [*command, "--junit", str(out[0]), "--save", str(out[1])],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline()
        os.killpg(process.pid, signal.SIGINT)
        began = time.monotonic()
        assert process.wait(timeout=30) == 130
        assert time.monotonic() - began < 10.0
        assert process.stderr.read() == ""
    assert sorted(tmp_path.iterdir()) == [path]


# --- the document -------------------------------------------------------------------------------------------------


def test_the_document_shows_a_suite_that_works_and_names_every_key(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    page = (Path(__file__).resolve().parents[1] / "docs" / "simulator.md").read_text()
    section = page.split("## Suites\n")[1].split("\n## ")[0]
    (shown,) = re.findall(r"```toml\n(.*?)```", section, re.DOTALL)
    lines = told(capsys, suite(tmp_path, shown.replace("[1, 2, 3]", "[1]")))
    assert lines[0]["status"] == "passed", lines[0]
    for key in (*suites.OPTIONS, *suites.WALKS, "expect", *suites.EXPECTATION_KEYS):
        assert f"`{key}`" in section, key
    for one in suites.SHIPPED.glob("*.toml"):
        assert f"`{one.stem}`" in section
