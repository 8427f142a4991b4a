"""The conformance suite: it refutes each broken promise, that one, and none that is kept."""

import breaking
import pytest

from paxos.cli import main
from paxos.services import crews
from paxos.services.conformance import examine
from paxos.services.contract import ServiceError
from paxos.services.promises import PROMISES, Checked, Judge, Read, Tried, key_of, made
from paxos.services.registry import OFFERS

BROKEN = [kind for kind in breaking.KINDS.values() if kind.promise]
FEW = {"processes": 3, "names": 30, "seconds": 60}
KEPT = ["memory:conformance", "file://{}/list", "sqlite://{}/list.db", "broken-Right://{}/list"]


def refuted(url, **options):
    report = examine(url, opened=breaking.opened, **options)
    return report, {name: report.verdicts[name].evidence[:3] for name in report.refuted}


@pytest.mark.parametrize("kind", BROKEN, ids=lambda kind: kind.__name__)
def test_what_is_broken_is_found_and_nothing_else(kind, tmp_path):
    url = f"broken-{kind.__name__}://{tmp_path}/list"
    report, found = refuted(url, **FEW)
    assert kind.promise <= set(found) <= kind.promise | kind.maybe, found
    for name in kind.promise:
        assert str(report.verdicts[name]).startswith("refuted (")


def test_every_promise_is_broken_by_a_list():
    assert set().union(*(kind.promise for kind in BROKEN)) == set(PROMISES)


@pytest.mark.parametrize("url", KEPT)
def test_what_is_kept_is_not_refuted_and_never_said_to_be_kept(url, tmp_path):
    report, found = refuted(url.format(tmp_path), **FEW)
    assert (found, report.errors, report.cut) == ({}, {}, ())
    untried = {name for name, one in report.verdicts.items() if not one.tries}
    assert untried <= ({"once"} if url.startswith("memory") else set()), "nothing is lost there"
    for name in PROMISES.keys() - untried:
        assert str(report.verdicts[name]).startswith("not refuted in ")
    assert {"append, alone", "append, in a race", "fetch"} <= set(report.times)


@pytest.mark.nightly
@pytest.mark.parametrize("url", KEPT[:3])
def test_what_is_kept_is_not_refuted_by_two_thousand_names(url, tmp_path):
    report, found = refuted(url.format(tmp_path), processes=8, names=2000, seconds=3600)
    assert (found, report.errors, report.cut) == ({}, {}, ())


def test_what_was_there_is_left_alone_and_nothing_is_left_behind(tmp_path):
    (tmp_path / "list").mkdir()
    (tmp_path / "list" / f"{0:020d}").write_bytes(b"mine")
    for url in ("file://{}/list", "sqlite://{}/list.db"):
        refuted(url.format(tmp_path), processes=2, names=2, seconds=30)
    left = [one for one in tmp_path.rglob("*") if one.is_file()]
    assert [one.read_bytes() for one in left] == [b"mine"]


def test_who_hangs_is_killed_and_the_rest_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(crews, "GRACE", 0.5)
    begun = []
    report, found = refuted(
        f"broken-Hangs://{tmp_path}/list",
        processes=2,
        names=30,
        seconds=4,
        tell=lambda what, part: begun.append(what),
    )
    assert not found
    assert report.cut
    assert any("was not done" in what and retry for what, _, retry in report.errors)
    assert report.verdicts["stays"].tries >= 12
    assert begun[-1] == "last"


@pytest.mark.parametrize(
    ("url", "options", "blame"),
    [
        ("nothing:x", {}, "caller"),
        ("memory:x", {"processes": 1}, "caller"),
        ("memory:x", {"names": 0}, "caller"),
        ("memory:x", {"seconds": 0}, "caller"),
        ("file:///no/such/place", {}, "service"),
    ],
)
def test_what_cannot_be_tried_is_said_whose_fault_it_is(url, options, blame):
    with pytest.raises(ServiceError) as refused:
        examine(url, **options)
    assert refused.value.blame == blame


# What the command adds: a URL only for whoever asks for it, and what each service needs.


@pytest.mark.parametrize("asked", [False, True])
def test_a_report_has_the_url_only_if_asked_and_never_its_query(asked, tmp_path, capsys):
    file = tmp_path / "report.md"
    words = ["memory:mine?key=secret", "--processes", "2", "--names", "2", "--report", str(file)]
    assert main(["service", "check", *words, *(["--with-url"] if asked else [])]) == 0
    text = file.read_text()
    assert ("- <memory:mine>\n" in text) == asked == ("mine" in text)
    assert "secret" not in text


def test_the_list_of_services_says_which_extra_and_which_credentials_each_needs(capsys):
    assert main(["service", "list"]) == 0
    lines = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()]
    for one in OFFERS.values():
        extra = f"[{one.extra}]" if one.extra else ""
        needs = " ".join(filter(None, (extra, one.credentials)))
        said = [
            " ".join(rest[0].split())
            for scheme, *rest in filter(None, lines)
            if scheme == one.scheme
        ]
        assert said == ([needs] if needs else [])


# The judge, on histories made by hand.


def test_an_entry_tells_by_itself_whether_it_is_whole():
    raw = made("run", "1.2", 300)
    assert (len(raw), key_of("run", raw)) == (300, "1.2")
    assert made("run", "1.2", 300) == raw != made("run", "1.3", 300)
    for bad in (raw[:-1], raw + b"x", raw[:200], raw[:20], b"", raw.replace(b" 1.2 ", b" 1.4 ")):
        assert key_of("run", bad).startswith("?")
    assert key_of("another", raw).startswith("?")
    mixed = made("run", "5.6", 300)[:250] + raw[250:]
    assert key_of("run", mixed) == "?300 of the 300 bytes of entry 5.6"


def tried(who, number, position, begun, ended, outcome="told", at=None):
    return Tried(who, f"{who}.{number}", at, begun, ended, outcome, position, "race")


def read(who, after, keys, begun, last=False):
    return Read(who, after, tuple(keys.split()), begun, begun + 1, "race", last)


HISTORIES = {  # what is refuted, if the list promises to be fresh
    "two at once": (
        {"winner"},
        [tried(1, 0, 0, 0, 5), tried(2, 0, 0, 1, 4), read(1, 0, "2.0", 9, True)],
    ),
    "lost, and its place used again": (
        {"stays"},
        [tried(1, 0, 0, 0, 1), tried(2, 0, 0, 2, 3), read(1, 0, "2.0", 9, True)],
    ),
    "an append of unknown outcome comes late": (
        set(),
        [
            tried(1, 0, None, 0, 1, "unknown"),
            read(1, 0, "", 2),
            tried(2, 0, 0, 3, 4),
            read(1, 0, "2.0 1.0", 9, True),
            read(2, 0, "2.0", 9, True),
        ],
    ),
    "and comes twice": (
        {"once"},
        [tried(1, 0, None, 0, 1, "unknown"), read(1, 0, "1.0 1.0", 9, True)],
    ),
    "a fetch begins before the answer": (
        set(),
        [tried(1, 0, 0, 0, 5), read(2, 0, "", 4), read(2, 0, "1.0", 9, True)],
    ),
    "a fetch begins after the answer": (
        {"fresh"},
        [tried(1, 0, 0, 0, 3), read(2, 0, "", 4), read(2, 0, "1.0", 9, True)],
    ),
    "it vanishes": (
        {"changes"},
        [tried(1, 0, None, 0, 1, "unknown"), read(2, 0, "1.0", 4), read(2, 0, "", 9, True)],
    ),
    "it is torn, and then whole": (
        {"whole"},
        [tried(1, 0, 0, 0, 9), read(2, 0, "?3", 4), read(2, 0, "1.0", 10, True)],
    ),
    "a late entry comes before another": (
        {"changes"},
        [read(2, 0, "1.0 3.0", 4), read(2, 0, "1.0 2.0 3.0", 9, True)],
    ),
    "two readers differ": ({"order"}, [read(1, 0, "1.0 2.0", 4), read(2, 0, "2.0 1.0", 4)]),
    "refused, and done": (
        {"at"},
        [tried(1, 0, None, 0, 1, "taken", at=0), read(2, 0, "1.0", 9, True)],
    ),
    "failed for sure, and done": (
        {"refused"},
        [tried(1, 0, None, 0, 1, "refused"), read(2, 0, "1.0", 9, True)],
    ),
    "found wrong without a history": ({"limits"}, [Checked("limits", "0 bytes"), Checked("at")]),
}


@pytest.mark.parametrize("name", HISTORIES)
def test_a_history_refutes_what_it_refutes(name):
    expected, history = HISTORIES[name]
    verdicts = Judge(history, fresh=True).verdicts
    assert {name for name, one in verdicts.items() if one.refuted} == expected
    verdicts = Judge(history, fresh=False).verdicts
    assert {name for name, one in verdicts.items() if one.refuted} == expected - {"fresh"}
    if "fresh" in expected:
        assert str(verdicts["fresh"]).startswith("not promised; a fetch ended at 0 after")
