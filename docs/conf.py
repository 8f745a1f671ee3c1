"""The documentation site: ``make docs`` builds it into ``build/docs``, to be read from the disk without a network."""

import re
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]

project = "Walktall"
author = "the Walktall authors"
copyright = "the Walktall authors, MIT licence"
release = re.search(r'__version__ = "([^"]+)"', (_ROOT / "firmware/lib/walktall/__init__.py").read_text())[1]
version = release

extensions = ["myst_parser"]
exclude_patterns = ["_build", "case/*.stl"]
source_suffix = {".md": "markdown"}
master_doc = "index"

# Headings as link targets (`#section`), as GitHub makes them: the same files are read there.
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence", "attrs_inline"]

html_theme = "furo"
html_title = "Walktall"
html_static_path = ["_static"]
html_css_files = ["walktall.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#00588f", "color-brand-content": "#00588f"},
    "dark_css_variables": {"color-brand-primary": "#6cb6ff", "color-brand-content": "#6cb6ff"},
    "source_repository": "",
}


def setup(app):  # type: ignore[no-untyped-def]
    """The protocol's example bytes are a language of their own: to be shown as they are."""
    from pygments.lexers.special import TextLexer

    app.add_lexer("frame", TextLexer)
