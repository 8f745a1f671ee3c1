"""The documents say what the code does: module tables, glossary, links, command names."""

import ast
import re
from pathlib import Path

import pytest

from tests.test_house_rules import ROOT, WALKTALL, absolute, imported, siblings, sources

ARCHITECTURE = ROOT / "docs" / "architecture.md"
PACKAGES = ("firmware/lib/walktall", "host_tools/walktall_host", "simulator/walktall_sim")
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
# The nouns that have one meaning each.
NOUNS = ("sample", "upright", "lean", "slouch", "session", "record", "journal", "trace", "frame")


def first_sentence(path: Path) -> str:
    """The first sentence of a module's docstring, or its first paragraph where that is short, on one line."""
    text = ast.get_docstring(ast.parse(path.read_text()))
    assert text, f"{path.relative_to(ROOT)} does not say what it is for"
    paragraph = " ".join(text.split("\n\n")[0].split())
    # Two short sentences say more than a question alone.
    sentence = paragraph if len(paragraph) < 120 else re.split(r"(?<=[.?])\s(?=[A-Z])", paragraph)[0]
    return sentence.rstrip(".").replace("|", "\\|")


def name_of(path: Path, package: Path) -> str:
    parts = path.relative_to(package).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def table(folder: str) -> str:
    """The table of a package's modules: what each is for and which of its own or of the device's it imports."""
    package = ROOT / folder
    rows = ["| module | what it is for | imports |", "| --- | --- | --- |"]
    for path in sources(package):
        name = name_of(path, package)
        if not name:
            continue
        if package == WALKTALL:
            found = {part.lstrip(".").split(".")[0] for part in imported(path) if part.startswith("..")} | siblings(
                path
            )
            found.discard("")
        else:
            found = {f"walktall.{part}" if part else "walktall" for part in absolute([path], "walktall")}
            found |= {part.lstrip(".").split(".")[0] for part in imported(path) if part.startswith(".")}
            found |= {part for part in absolute([path], package.name) if part}
            found.discard("walktall.__version__")
        found.discard("__version__")
        rows.append(
            f"| `{name}` | {first_sentence(path)} | {', '.join(f'`{part}`' for part in sorted(found)) or '—'} |"
        )
    return "\n".join(rows)


@pytest.mark.parametrize("folder", PACKAGES)
def test_architecture_tells_every_module_and_its_imports(folder: str, request: pytest.FixtureRequest) -> None:
    text = ARCHITECTURE.read_text()
    begin, end = f"<!-- begin: {folder} -->\n", f"<!-- end: {folder} -->"
    head, rest = text.split(begin)
    told, tail = rest.split(end)
    if request.config.getoption("--rewrite"):
        ARCHITECTURE.write_text(head + begin + table(folder) + "\n" + end + tail)
        return
    assert told.strip() == table(folder), "run: pytest tests/test_docs_against_code.py --rewrite"


def test_glossary_gives_each_noun_one_meaning() -> None:
    section = ARCHITECTURE.read_text().split("## Glossary")[1].split("\n## ")[0]
    nouns = re.findall(r"^\| ([a-z ]+) \|", section, re.MULTILINE)
    assert len(nouns) == len(set(nouns))
    assert set(NOUNS) <= set(nouns)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_documents_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", path.read_text()):
        if not re.match(r"[a-z]+:", target):
            assert (path.parent / target).exists(), f"{path.relative_to(ROOT)} links to {target}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_that_documents_name_exist(path: Path) -> None:
    for name in re.findall(r"`((?:firmware|host_tools|simulator|tests|docs)/[\w./-]+)`", path.read_text()):
        assert (ROOT / name).exists(), f"{path.relative_to(ROOT)} names {name}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_that_documents_name_exist(path: Path) -> None:
    """Every `walktall WORD` and `walktall-sim WORD` in code is a command of that program; every make target is one."""
    import typer
    from walktall_host.cli import app as host_app
    from walktall_sim.cli import app as sim_app

    known = {}
    for program, app in (("walktall", host_app), ("walktall-sim", sim_app)):
        group = typer.main.get_command(app)
        known[program] = set(getattr(group, "commands", {}))
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    text = path.read_text()
    pieces = re.findall(r"```(?:sh|console)?\n(.*?)```|`([^`\n]+)`", text, re.DOTALL)
    code = "\n".join(block or inline for block, inline in pieces)
    for program, word in re.findall(r"(?:^|[\s$])(walktall|walktall-sim) ([a-z]+)\b", code, re.MULTILINE):
        assert word in known[program], f"{path.relative_to(ROOT)}: {program} {word}"
    for word in re.findall(r"(?:^|\s)make ([a-z]+)", code, re.MULTILINE):
        assert word in targets, f"{path.relative_to(ROOT)}: make {word}"
