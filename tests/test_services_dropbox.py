"""What is special about Dropbox: equal bytes, and a refusal that may be one's own. See test_services_fakes."""

import asyncio

import pytest

pytest.importorskip("dropbox", reason="the client library of Dropbox is not installed")

from fakes.dropbox import Dropbox as Fake
from fakes.judge import race, wrong

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
