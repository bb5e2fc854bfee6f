"""Sphinx's configuration of the manual; scripts/docs sets the environment."""

import os
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent / "bindings/python")]

import comments  # noqa: E402

HEADER = (HERE.parent.parent / "include/rnn/rnn.h").read_text()
NAMES = comments.Names(HEADER)


def dark_colours():
    """Furo's for a browser that prefers dark pages, which the style sheet of Debian 12's package leaves out."""
    import furo
    path = pathlib.Path(furo.__file__).parent / "assets/styles/variables/_colors.scss"
    colours = path.read_text() if path.exists() else ""
    return dict(re.findall(r"--([\w-]+): ([^;]+);", colours.partition("@mixin colors-dark")[2]))


project = "librnn"
author = "The librnn authors"
copyright = author
release = ".".join(re.findall(r"^#define RNN_VERSION_\w+ (\d+)$", HEADER, re.M))
version = release

# The whole tree is the source, so that links between pages and to files are those that the Markdown files have.
root_doc = "doc/index"
include_patterns = ["doc/**", "README.md", "CHANGELOG.md", "SECURITY.md", "CONTRIBUTING.md", "bench/README.md",
                    "bindings/*/README.md"]
exclude_patterns = ["doc/site", "doc/snippets"]
extensions = ["myst_parser", "breathe", "sphinx.ext.autodoc"]
nitpicky = True
highlight_language = "none"

myst_heading_anchors = 4
myst_enable_extensions = []
suppress_warnings = ["myst.header"]  # a README may begin with any heading

breathe_projects = {"rnn": os.environ.get("RNN_DOXYGEN", "xml")}
breathe_default_project = "rnn"
breathe_domain_by_extension = {"h": "c"}
c_id_attributes = ["RNN_API"]
# Names that are C's and Python's own.
nitpick_ignore_regex = [("c:identifier", r"u?int\d+_t|size_t|rnn_handle|rnn_\w+"), ("py:.*", r".*")]

autodoc_typehints = "none"
autodoc_member_order = "bysource"
autoclass_content = "class"

html_theme = "furo"
html_theme_options = {"dark_css_variables": dark_colours()}
html_title = f"librnn {release}"
html_static_path = [str(HERE / "style.css")]
html_css_files = ["style.css"]
html_show_sphinx = False
html_copy_source = False
html_show_search_summary = False  # it would be fetched, which a page from a disk cannot do
html_show_sourcelink = False
# The first page is doc/index.html.
html_extra_path = [str(HERE / "index.html")]


def docstring(app, what, name, thing, options, lines):
    """The package's docstrings have the form of rnn.h's comments: a name, and what is said of it in a column."""
    rows = [match for line in lines if (match := re.match(r"(\w+(?:, \w+)*)( {2,})\S", line))]
    column = max((len(match[1] + match[2]) for match in rows), default=9)
    allowed = {word for line in lines if len(line) > column and line[column - 1] == " " and line[column] != " "
               for word in re.split(r", ?", line[:column].strip()) if re.fullmatch(r"\w+", word)} if rows else set()
    lines[:] = comments.convert(lines, NAMES, allowed, column)


def without_folders(app, document):
    """A link to a folder has no page to go to, and a page of another site not its files: its text stays."""
    from sphinx import addnodes
    for link in list(document.findall(addnodes.download_reference)):
        if link["reftarget"].endswith(".html"):
            link.replace_self(link.children)
    source = pathlib.Path(app.env.doc2path(app.env.docname)).parent
    for link in list(document.findall(addnodes.pending_xref)):
        if link.get("reftype") == "myst" and (source / link["reftarget"]).is_dir():
            link.replace_self(link.children)


def with_names(app, document):
    """`rnn_step` in a page becomes a link to what the reference says of it."""
    from docutils import nodes
    from sphinx import addnodes
    for literal in list(document.findall(nodes.literal)):
        name = re.match(r"(\w+)(?:\(.*\))?$", literal.astext())
        inside = isinstance(literal.parent, (nodes.reference, nodes.title, addnodes.pending_xref))
        if inside or not name or name[1] not in NAMES.roles:
            continue
        link = addnodes.pending_xref("", refdomain="c", reftype=NAMES.roles[name[1]], reftarget=name[1],
                                     refdoc=app.env.docname, refwarn=True, refexplicit=True)
        literal.replace_self(link)
        link += literal


def without_empty_lines(app, document):
    """A part of a program ends with its last line."""
    from docutils import nodes
    for block in document.findall(nodes.literal_block):
        block.rawsource = block.astext().rstrip("\n")
        block[:] = [nodes.Text(block.rawsource)]


def with_pictures(app, document):
    """Our own pictures become a part of the page, whose colours they take, light or dark."""
    from docutils import nodes
    for image in list(document.findall(nodes.image)):
        path = pathlib.Path(app.env.doc2path(app.env.docname)).parent / image["uri"]
        if path.suffix == ".svg" and '<svg class="picture"' in (text := path.read_text()):
            image.replace_self(nodes.raw("", re.sub("<style>.*?</style>", "", text, flags=re.S), format="html"))


def with_enum_names(app, document, docname):
    """An enum without a name is known by what its enumerators begin with."""
    from docutils import nodes
    from sphinx import addnodes
    for enum in document.findall(addnodes.desc):
        if enum.get("objtype") != "enum":
            continue
        names = [name.astext() for signature in list(enum.findall(addnodes.desc_signature))[1:]
                 for name in signature.findall(addnodes.desc_name)]
        for text in list(enum[0].findall(nodes.Text)):
            if text.astext() == "[anonymous]":
                common = os.path.commonprefix(names)
                text.parent.replace(text, nodes.Text(common[:common.rindex("_") + 1] + "..."))


def with_script(app, exception):
    """The script of Debian 12's Furo imports another one, which a page cannot do: they become one."""
    folder = pathlib.Path(app.outdir) / "_static/scripts"
    script, other = folder / "furo.js", folder / "gumshoe-patched.js"
    text = script.read_text() if script.exists() else ""
    if text.startswith("import Gumshoe"):
        script.write_text(other.read_text() + text.partition("\n")[2])


def setup(app):
    app.connect("doctree-resolved", with_enum_names)
    app.connect("build-finished", with_script)
    app.connect("autodoc-process-docstring", docstring)
    # Before Sphinx collects pictures and downloads.
    app.connect("doctree-read", without_folders, priority=100)
    app.connect("doctree-read", with_pictures, priority=100)
    app.connect("doctree-read", with_names)
    app.connect("doctree-read", without_empty_lines)
