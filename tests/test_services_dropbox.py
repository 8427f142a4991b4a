"""Dropbox by its official SDK, against a fake of documented meaning, with faults on purpose."""

import asyncio

import pytest

pytest.importorskip("dropbox", reason="the client library of Dropbox is not installed")

from fakes.dropbox import Dropbox as Fake
from fakes.judge import FAULTS, race, wrong

from paxos.services.contract import ServiceError
from paxos.services.dropbox import Dropbox
from paxos.services.registry import open_list

URL = "dropbox:///log?endpoint="


@pytest.fixture(autouse=True)
def token(monkeypatch):
    monkeypatch.setenv("DROPBOX_TOKEN", Fake.token)


def tell(what):
    return asyncio.run(asyncio.wait_for(what, 60))


def log(fake):
    return [content for _, content in fake.log]


def test_a_list_is_read_as_it_was_written():
    entries = [b"entry %d" % number for number in range(11)] + [b"x\0" * (1 << 18)]

    async def run(url):
        async with open_list(url) as its:
            await its.create()
            await its.check()
            assert await its.fetch() == []
            assert [await its.append(one) for one in entries] == list(range(12))
        async with open_list(url) as its:
            assert await its.fetch(10) == entries[10:]
            assert await its.append(b"end") == 12

    with Fake() as fake:
        tell(run(URL + fake.endpoint))
        assert log(fake) == [*entries, b"end"]


@pytest.mark.parametrize("seed", range(3))
def test_every_client_sees_the_true_log_whatever_goes_wrong(seed):
    kinds = {"too many", "error before", "error after", "dropped after", "late"}
    for again in range(10):  # which fault strikes whom depends on who is faster
        with Fake(seed + 100 * again, **FAULTS) as fake:
            url = URL + fake.endpoint
            views, told = tell(race(lambda url=url: quick(open_list(url)), seed=seed))
        assert not wrong(log(fake), views, told)
        assert len(told) > 12, "most get through"
        if not (kinds := kinds - fake.struck.keys()):
            break
    assert not kinds, "a fault that never strikes tests nothing"


def quick(its):
    its.PAUSE = 0.01
    return its


def test_equal_entries_show_why_each_must_be_unique():
    with Fake() as fake:
        views, told = tell(race(lambda: quick(open_list(URL + fake.endpoint)), same=True))
    assert "won one position" in wrong(log(fake), views, told) or "times" in wrong(
        log(fake), views, told
    )


class Trusting(Dropbox):
    """Takes a refusal for a loss, though its own request may have been the first."""

    async def settle(self, position, entry):
        for _ in range(self.TRIES):
            try:
                return entry if await self.put(self.name(position), entry) else b"somebody else's"
            except ServiceError:
                await asyncio.sleep(0.01)
        return None


class Strict(Trusting):
    """And asks for a conflict where its own bytes stand."""

    async def put(self, name, entry):
        upload = self.client.files_upload

        def strict(*arguments, **options):
            return upload(*arguments, **{**options, "strict_conflict": True})

        self.client.files_upload = strict
        try:
            return await super().put(name, entry)
        finally:
            self.client.files_upload = upload


def test_a_refusal_after_an_own_lost_answer_is_no_loss():
    with Fake(1, error_after=0.3) as fake:
        views, told = tell(race(lambda: Strict(URL + fake.endpoint), clients=1, count=12))
    assert "times" in wrong(log(fake), views, told), "appended again, and so twice"
    with Fake(1, error_after=0.3) as fake:
        views, told = tell(race(lambda: open_list(URL + fake.endpoint), clients=1, count=12))
    assert not wrong(log(fake), views, told)


def test_a_refused_token_says_what_to_set_and_does_not_show_itself(monkeypatch):
    monkeypatch.setenv("DROPBOX_TOKEN", "secret")

    async def run(url):
        async with open_list(url) as its:
            with pytest.raises(ServiceError, match="DROPBOX_TOKEN") as said:
                await its.append(b"one")
            assert said.value.blame == "credentials"
            assert "secret" not in str(said.value)

    with Fake() as fake:
        tell(run(URL + fake.endpoint))


def test_a_token_is_refreshed(monkeypatch):
    monkeypatch.delenv("DROPBOX_TOKEN")
    monkeypatch.setenv("DROPBOX_REFRESH_TOKEN", "again")
    monkeypatch.setenv("DROPBOX_APP_KEY", "key")

    async def run(url):
        async with open_list(url) as its:
            assert await its.append(b"one") == 0

    with Fake() as fake:
        tell(run(URL + fake.endpoint))
        assert fake.asked["token"] == 1


def test_without_credentials_it_is_said_which(monkeypatch):
    monkeypatch.delenv("DROPBOX_TOKEN")
    with pytest.raises(ServiceError, match="DROPBOX_REFRESH_TOKEN and DROPBOX_APP_KEY"):
        open_list("dropbox:///log")
