"""Sphinx: MyST pages, furo, and an API reference from docstrings. Built with ``make docs``; a warning is an error."""

from __future__ import annotations

from importlib.metadata import version as _version

project = "finestflow"
author = "finestflow contributors"
copyright = "finestflow contributors"
version = release = _version("finestflow")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "examples"]
html_theme = "furo"
html_title = "finestflow"

myst_enable_extensions = ["colon_fence", "deflist", "linkify"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {"members": True, "show-inheritance": True}
napoleon_google_docstring = True
napoleon_numpy_docstring = False
# Types in signatures are Python's own or internal; only pages and headings must resolve.
nitpick_ignore_regex = [(r"py:.*", r".*")]
