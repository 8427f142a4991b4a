"""How Sphinx turns `docs/` into the book. The machinery that is ours is in `tools/book.py`."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
for folder in (ROOT, ROOT / "tools"):
    sys.path.insert(0, str(folder))

import book  # noqa: E402

# Kernels start from here: they must see this tree, this venv's programs, and nothing of the reader's own set-up.
os.environ["PATH"] = str(Path(sys.executable).parent) + os.pathsep + os.environ.get("PATH", "")
os.environ["PYTHONPATH"] = str(ROOT)
os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"
os.environ["IPYTHONDIR"] = str(ROOT / "build" / "ipython")
# A kernel that is told to stop sometimes says "KeyboardInterrupt" on its way out. Nobody can use that.
profile = ROOT / "build" / "ipython" / "profile_default"
profile.mkdir(parents=True, exist_ok=True)
(profile / "ipython_kernel_config.py").write_text("c.IPKernelApp.log_level = 50\n", "utf-8")
os.environ["NO_COLOR"] = "1"

project = "Paxos You Can Run"
author = "the Passive Paxos authors"
copyright = "2026, the Passive Paxos authors"
html_title = project
version = release = "0.1"

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinxcontrib.bibtex",
    "sphinx_design",
    "sphinx_copybutton",
    "book",
]
root_doc = "index"
exclude_patterns = ["**.ipynb_checkpoints", "**/.*", "fonts/*.ttf"]  # the last: for the PDF only
templates_path = ["tools/templates"]
numfig = True
numfig_secnum_depth = 0
numfig_format = {"figure": "Figure %s", "table": "Table %s", "code-block": "Listing %s"}
highlight_language = "python"
# Only our own names must resolve: the standard library's are described elsewhere, and a page needs no network.
default_role = "code"  # `x` in a docstring
nitpick_ignore_regex = [(r"py:.*", r"(?!paxos\b).*")]

bibtex_bibfiles = ["references.bib"]
bibtex_default_style = "alpha"
suppress_warnings = ["bibtex.duplicate_citation"]

myst_enable_extensions = [
    "amsmath",
    "attrs_block",
    "attrs_inline",
    "colon_fence",
    "deflist",
    "dollarmath",
    "fieldlist",
]
myst_heading_anchors = 3
nb_render_markdown_format = "gfm"
nb_execution_timeout = 400
nb_execution_mode = "cache"
# The cache of MyST-NB looks at cells only. This digest of everything a cell can call makes stale output impossible.
book_digest = book.digest(ROOT)
nb_execution_cache_path = str(ROOT / "build" / "cache" / book_digest)
nb_execution_allow_errors = (
    True  # every failed cell is then named by `book`, which fails a strict build
)
nb_mime_priority_overrides = [
    (builder, kind, rank)
    for builder in ("html", "singlehtml")
    for rank, kind in enumerate(
        ("image/svg+xml", "text/html", "text/markdown", "image/png", "text/plain")
    )
]

autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"

html_theme = "pydata_sphinx_theme"
html_static_path = ["_static"]
html_css_files = ["book.css", "figures.css"]
html_favicon = "_static/logo.svg"
html_math_renderer = "mathml"
html_copy_source = True
html_show_sourcelink = True
html_show_sphinx = False
html_permalinks_icon = "#"
html_scaled_image_link = False
html_sidebars = {"**": ["book-contents.html"]}
html_theme_options = {
    "logo": {"image_light": "_static/logo.svg", "image_dark": "_static/logo.svg", "text": project},
    "navbar_start": ["navbar-logo"],
    "navbar_center": [],
    "navbar_persistent": ["book-search.html"],
    "navbar_end": ["theme-switcher"],
    "navbar_align": "left",
    "search_bar_text": "Search the book",
    "primary_sidebar_end": [],
    "article_header_start": ["breadcrumbs"],
    "article_header_end": ["page-downloads.html"],
    "secondary_sidebar_items": ["page-toc"],
    "show_toc_level": 2,
    "footer_start": ["copyright"],
    "footer_end": [],
    "back_to_top_button": False,
    "navigation_with_keys": False,
}
html_context = {"default_mode": "auto"}
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
copybutton_exclude = ".linenos, .gp, .go"
copybutton_selector = "div.highlight:not(.output div.highlight) pre"
