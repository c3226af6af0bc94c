"""How the site is built (`make docs`): these pages, and a reference made of the docstrings."""

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


def inline_math(translator, node: nodes.math) -> None:
    """Formulas become MathML when the site is built: browsers need no script and no network."""
    translator.body.append(tex2mathml(node.astext(), as_block=False))
    raise nodes.SkipNode


def display_math(translator, node: nodes.math_block) -> None:
    translator.body.append(tex2mathml(node.astext(), as_block=True))
    raise nodes.SkipNode


def setup(app: Sphinx) -> None:
    app.add_html_math_renderer("mathml", (inline_math, None), (display_math, None))
