"""How the site is built (`make docs`): these pages, and a reference made of the docstrings."""

import os
import re
import tomllib
from pathlib import Path

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx

ROOT = Path(__file__).parent.parent

project = "Closing the loop"
version = release = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
copyright = "the closing-the-loop contributors"

extensions = ["myst_nb", "autoapi.extension"]
exclude_patterns = ["images"]
default_role = "literal"  # what docstrings put between backticks is code
# Constants that are unpacked, fields that several classes have, and the one block of CSV.
suppress_warnings = ["autoapi.python_import_resolution", "ref.python", "misc.highlighting_failure"]

myst_enable_extensions = ["dollarmath"]
myst_fence_as_directive = ["math"]
myst_heading_anchors = 3
nb_execution_mode = "off"  # the tests run it

autoapi_dirs = [str(ROOT / "jaxsim"), str(ROOT / "agents")]
autoapi_root = "reference"
autoapi_options = ["members", "undoc-members", "show-module-summary"]
autoapi_add_toctree_entry = False
autoapi_python_class_content = "both"

html_theme = "furo"
html_title = project
html_show_sphinx = False
html_math_renderer = "mathml"


LINK = re.compile(r"\[([^\[\]]*)\]\(([^)\s:#]+)(#[^)\s]*)?\)")
INCLUDED = {
    "README.md": "docs/index.md",
    "RESULTS.md": "docs/results.md",
    "benchmarks/RESULTS.md": "docs/benchmark-results.md",
    "benchmarks/accelerator/h200.md": "docs/accelerator-results.md",
    "CHANGELOG.md": "docs/changes.md",
    "CONTRIBUTING.md": "docs/contributing.md",
}
"""Pages outside of `docs`, and those of the site that include them."""


def with_links_from_docs(folder: str, text: str) -> str:
    """A page that lies in `folder`, with the links that it has as a page of `docs`.

    Links to pages outside of `docs` lead to those that include them; links to folders, which a site
    does not have, become plain text.
    """

    def moved(link: re.Match[str]) -> str:
        words, path, anchor = link.groups(default="")
        target = os.path.normpath(f"{folder}/{path}")  # from the root
        if (ROOT / target).is_dir():
            return words
        if not (ROOT / target).exists():
            return link[0]
        return f"[{words}]({os.path.relpath(INCLUDED.get(target, target), 'docs')}{anchor})"

    return LINK.sub(moved, text)


def page_read(app: Sphinx, docname: str, source: list[str]) -> None:
    source[0] = with_links_from_docs("docs", source[0])


def include_read(app: Sphinx, path: Path, docname: str, source: list[str]) -> None:
    source[0] = with_links_from_docs(f"docs/{path.parent}", source[0])


def inline_math(translator, node: nodes.math) -> None:
    """Formulas become MathML when the site is built: browsers need no script and no network."""
    translator.body.append(tex2mathml(node.astext(), as_block=False))
    raise nodes.SkipNode


def display_math(translator, node: nodes.math_block) -> None:
    translator.body.append(tex2mathml(node.astext(), as_block=True))
    raise nodes.SkipNode


def setup(app: Sphinx) -> None:
    app.add_html_math_renderer("mathml", (inline_math, None), (display_math, None))
    app.connect("source-read", page_read)
    app.connect("include-read", include_read)
