"""Dropbox, Box, Drive, OneDrive and Baidu, against fakes of documented meaning, with faults on purpose.

Dropbox, Box and Drive by their official client libraries. Nothing here is evidence about a service.
"""

import asyncio

import pytest

pytest.importorskip("httpx", reason="the client library of OneDrive and Baidu is not installed")
pytest.importorskip("dropbox", reason="the client library of Dropbox is not installed")
pytest.importorskip("box_sdk_gen", reason="the client library of Box is not installed")
pytest.importorskip("googleapiclient", reason="the client library of Drive is not installed")

from fakes import baidu as fake_baidu
from fakes import box as fake_box
from fakes import drive as fake_drive
from fakes import dropbox as fake_dropbox
from fakes import onedrive as fake_onedrive
from fakes.judge import FAULTS, race, wrong
from sequence import sequence

from paxos.services import gdrive
from paxos.services.baidu import Baidu
from paxos.services.contract import ServiceError
from paxos.services.onedrive import OneDrive
from paxos.services.registry import open_list

FAKES = {
    "dropbox": (fake_dropbox.Dropbox, "dropbox:///log", {}),
    "box": (fake_box.Box, "box:///0", {"reserved": 0.05}),
    "gdrive": (fake_drive.Drive, "gdrive:///{}", {}),
    "onedrive": (fake_onedrive.OneDrive, "onedrive:///log", {"modified": 0.05}),
    "baidu": (fake_baidu.Baidu, "baidu:///apps/paxos/log", {}),
}
TOKENS = ("DROPBOX_TOKEN", "BOX_TOKEN", "GDRIVE_TOKEN", "ONEDRIVE_TOKEN", "BAIDU_TOKEN")
KINDS = pytest.mark.parametrize("kind", FAKES)


@pytest.fixture(autouse=True)
def tokens(monkeypatch):
    for one in TOKENS:
        monkeypatch.setenv(one, "good")
        monkeypatch.delenv(one.replace("_TOKEN", "_REFRESH_TOKEN"), raising=False)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Batches of ids so small that a test needs several."""
    monkeypatch.setattr(gdrive, "BATCH", 7)


def url_of(kind, fake):
    first = ""
    if kind == "gdrive":
        fake.generate(1)
        first = fake.issued[-1]
    return FAKES[kind][1].format(first) + f"?endpoint={fake.endpoint}"


def log(fake):
    """What is true, without the ids that Drive's adapter puts before some entries."""
    return [one.partition(b"\n")[2] if one.startswith(gdrive.MARK) else one for _, one in fake.log]


def quick(its):
    its.PAUSE = 0.01
    return its


def tell(what):
    return asyncio.run(asyncio.wait_for(what, 60))


@KINDS
def test_a_list_is_read_as_it_was_written(kind):
    entries = [b"entry %d" % number for number in range(21)] + [b"x\0" * (1 << 18)]
    with FAKES[kind][0]() as fake:
        assert tell(sequence(url_of(kind, fake), entries)) == log(fake)


@KINDS
@pytest.mark.parametrize("seed", range(2))
def test_every_client_sees_the_true_log_whatever_goes_wrong(kind, seed):
    make, _, more = FAKES[kind]
    kinds = {"too many", "error before", "error after", "dropped after", "late", *more}
    for again in range(10):  # which fault strikes whom depends on who is faster
        with make(seed + 100 * again, **FAULTS, **more) as fake:
            url = url_of(kind, fake)
            views, told = tell(race(lambda url=url: quick(open_list(url)), seed=seed))
        assert not wrong(log(fake), views, told)
        assert len(told) > 12, "most get through"
        if not (kinds := kinds - fake.struck.keys()):
            break
    assert not kinds, "a fault that never strikes tests nothing"


@KINDS
def test_an_expired_token_says_what_to_set(kind, monkeypatch):
    for one in TOKENS:
        monkeypatch.setenv(one, "secret")

    async def run(url):
        async with open_list(url) as its:
            with pytest.raises(ServiceError, match=f"{kind.upper()}_TOKEN") as said:
                await its.append(b"one")
            assert said.value.blame == "credentials"
            assert "secret" not in str(said.value)

    with FAKES[kind][0]() as fake:
        tell(run(url_of(kind, fake)))


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("onedrive", ["ONEDRIVE_REFRESH_TOKEN", "ONEDRIVE_CLIENT_ID"]),
        ("baidu", ["BAIDU_REFRESH_TOKEN", "BAIDU_APP_KEY", "BAIDU_APP_SECRET"]),
    ],
)
def test_a_token_is_refreshed_when_it_expires(kind, names, monkeypatch):
    for one in names:
        monkeypatch.setenv(one, "again")

    async def run(url):
        async with open_list(url) as its:
            for number in range(6):
                assert await its.append(b"%d" % number) == number

    with FAKES[kind][0](3, expired=0.3) as fake:
        tell(run(url_of(kind, fake)))
        assert fake.asked["token"] >= 1 and fake.struck["expired"] >= 1


@KINDS
def test_without_credentials_it_is_said_which(kind, monkeypatch):
    for one in TOKENS:
        monkeypatch.delenv(one)
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.setenv("CLOUDSDK_CONFIG", "/nowhere")
    with pytest.raises(ServiceError, match=f"{kind.upper()}_TOKEN") as said:
        open_list(FAKES[kind][1].format("id"))
    assert said.value.blame == "credentials"


def test_a_list_in_drive_begins_with_an_id_that_is_drawn():
    async def run(url):
        async with open_list(url) as its:
            with pytest.raises(ServiceError, match="use gdrive:///id0x") as said:
                await its.create()
            assert said.value.blame == "caller"

    with fake_drive.Drive() as fake:
        tell(run(f"gdrive:///?endpoint={fake.endpoint}"))


# Proof that the judge bites: what each adapter must not do.


class ByName(gdrive.Drive):
    """Looks for the name and then creates, as if names were unique."""

    async def put(self, name, entry):
        if await self.get(name) is not None:
            return False
        [self.row[int(name)]] = await self.draw(1)
        await asyncio.sleep(0.01)
        return await super().put(name, entry)


def test_drive_without_agreed_ids_is_caught(monkeypatch):
    monkeypatch.setattr(gdrive, "BATCH", 1000)
    with fake_drive.Drive() as fake:
        url = url_of("gdrive", fake)
        views, told = tell(race(lambda: quick(ByName(url))))
    assert wrong(log(fake), views, told)


def test_onedrive_that_replaces_is_caught(monkeypatch):
    monkeypatch.setattr("paxos.services.onedrive.FAIL", {})

    class Replaces(OneDrive):
        async def ask(self, method, url, **more):
            answer = await super().ask(method, url, **more)
            if method == "PUT" and answer.status_code == 200:
                answer.status_code = 201
            return answer

    with fake_onedrive.OneDrive() as fake:
        url = url_of("onedrive", fake)
        views, told = tell(race(lambda: quick(Replaces(url))))
    assert wrong(list(fake.files.values()), views, told)


def test_baidu_that_renames_is_caught():
    class Renames(Baidu):
        async def ask(self, method, data=None, **more):
            if method == "create":
                data = {**data, "rtype": 1}
            return await super().ask(method, data, **more)

    with fake_baidu.Baidu() as fake:
        url = url_of("baidu", fake)
        views, told = tell(race(lambda: quick(Renames(url))))
    plain = [content for name, content in fake.log if "(" not in name]
    assert wrong(plain, views, told)


def test_an_empty_file_of_baidu_is_reported_and_no_entry():
    async def run(url, fake):
        async with open_list(url) as its:
            await its.append(b"one")
            fake.create("/apps/paxos/log/" + its.name(1), b"")
            with pytest.raises(ServiceError, match="empty"):
                await its.fetch()

    with fake_baidu.Baidu() as fake:
        tell(run(url_of("baidu", fake), fake))
