"""Any DOT becomes a figure in the look of all others."""

import sys
import sysconfig
from pathlib import Path

import pytest

from paxos.figures import render

GRAPH = """digraph g {
  node [fontname="Paxos Sans"];
  a [label="start", class="prepare", shape=box, width=1.2];
  b [label="two\\nlines", class="gold", width=1.2];
  a -> b [class="promise"];
  b -> c;
  c -> c;
}
"""


def test_a_graph_without_positions_is_laid_out_and_painted():
    figure = render.figure(GRAPH, "A graph", "Three states.")
    assert figure.faults == ()
    for part in ("<title", ">A graph<", ">Three states.<", ">start<", ">two<", ">lines<", ">c<"):
        assert part in figure.svg
    assert "px-s-promise" in figure.svg
    assert "prefers-color-scheme:dark" in figure.svg


def test_the_same_graph_gives_the_same_bytes():
    assert render.figure(GRAPH, "A", "B").svg == render.figure(GRAPH, "A", "B").svg


def test_title_and_description_are_escaped():
    assert "a &lt; b &amp; c" in render.figure(GRAPH, "a < b & c", "d").svg


def test_a_text_that_does_not_fit_is_a_fault():
    planted = 'digraph { layout=nop2; a [pos="50,50", width=1, label="one word"]; '
    planted += 'b [pos="80,50", width=1, label="another word"] }'
    assert any("overlaps" in fault for fault in render.figure(planted, "t", "d").faults)


def test_a_label_across_an_arrow_is_a_fault():
    planted = 'digraph { layout=nop2; a [pos="30,90", label=""]; b [pos="30,10", label=""]; '
    planted += 'a -> b [pos="e,30,20 30,80 30,70 30,50 30,28", label="here", lp="30,50"] }'
    faults = render.figure(planted, "t", "d").faults
    assert any("lies across" in fault for fault in faults)


@pytest.fixture
def elsewhere(monkeypatch, tmp_path):
    """A Python of its own, with nothing beside it, and an empty PATH."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def test_without_dot_the_error_names_the_cure(elsewhere):
    with pytest.raises(render.RenderError, match=r"pip install '.\[book\]'") as caught:
        render.figure(GRAPH, "t", "d")
    assert "write the .dot file instead" in str(caught.value)


def test_without_the_package_the_error_is_the_same(monkeypatch):
    monkeypatch.setitem(sys.modules, "graphviz", None)
    with pytest.raises(render.RenderError, match=r"pip install '.\[book\]'"):
        render.figure(GRAPH, "t", "d")


def test_the_script_of_the_wheel_is_enough(elsewhere, monkeypatch):
    script = Path(sysconfig.get_path("scripts"), "graphviz-pure")
    (elsewhere / script.name).symlink_to(script)
    monkeypatch.setenv("PATH", "")
    assert render.figure(GRAPH, "t", "d").faults == ()


def test_a_text_that_is_no_graph_is_refused():
    with pytest.raises(render.RenderError, match="dot cannot read this graph"):
        render.figure("digraph { a -> ", "t", "d")
    with pytest.raises(render.RenderError, match="there is none in it"):
        render.figure("", "t", "d")
