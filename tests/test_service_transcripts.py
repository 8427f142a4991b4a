"""What our adapters ask of each service, and what they are answered: `transcripts/services/*.txt`.

The services are fakes of documented meaning. `pytest --regenerate` writes the transcripts anew.
"""

import asyncio
from pathlib import Path

import pytest

pytest.importorskip("dropbox", reason="the client library of Dropbox is not installed")

from fakes import baidu, box, drive, dropbox, onedrive

from paxos.services.contract import NotTheEnd
from paxos.services.registry import open_list

FOLDER = Path(__file__).parent / "transcripts" / "services"
FAKES = {
    "dropbox": (dropbox.Dropbox, "dropbox:///log"),
    "box": (box.Box, "box:///0"),
    "gdrive": (drive.Drive, "gdrive:///{}"),
    "onedrive": (onedrive.OneDrive, "onedrive:///log"),
    "baidu": (baidu.Baidu, "baidu:///apps/paxos/log"),
}


@pytest.fixture(autouse=True)
def tokens(monkeypatch):
    for kind in FAKES:
        monkeypatch.setenv(f"{kind.upper()}_TOKEN", "good")


async def scenario(fake, url):
    """What is done, and the requests that it takes."""
    lines = []

    def tell(what):
        lines.extend([what, *(f"  {said}" for said in fake.said), ""])
        fake.said.clear()

    async with open_list(url) as ann, open_list(url) as ben:
        ann.PAUSE = ben.PAUSE = 0.01
        assert await ann.append(b"Ann has the car", at=0) == 0
        tell("Ann creates number 0.")
        with pytest.raises(NotTheEnd):
            await ben.append(b"Ben has the car", at=0)
        tell("Ben comes too late, and reads what stands there.")
        fake.plan = ["error after"]
        assert await ben.append(b"Ben has it on Sunday") == 1
        tell("Ben takes number 1. It is created, but the answer is an error: he looks it up.")
    return "\n".join(lines)


@pytest.mark.parametrize("kind", FAKES)
def test_what_is_asked_of_a_service_is_what_the_transcript_says(kind, request):
    make, url = FAKES[kind]
    with make(seed=4) as fake:
        first = ""
        if kind == "gdrive":
            fake.generate(1)
            first = fake.issued[0]
        where = url.format(first) + f"?endpoint={fake.endpoint}"
        now = asyncio.run(asyncio.wait_for(scenario(fake, where), 30))
        assert [content[-20:] for _, content in fake.log][1] == b"Ben has it on Sunday"
    file = FOLDER / f"{kind}.txt"
    if request.config.getoption("regenerate"):
        file.write_text(now, encoding="utf-8")
    assert file.read_text(encoding="utf-8") == now
