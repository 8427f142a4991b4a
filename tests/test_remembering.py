"""What a device remembers of a log, and what it refuses because of it."""

import json
import shutil

import pytest
from odd_lists import live
from test_opening import opened

import paxos
from paxos import Mismatch, ServiceError
from paxos.drivers import wire
from paxos.protocol.lists import Genesis


def test_a_device_that_remembers_refuses_what_has_changed(world, tmp_path):
    kept = tmp_path / "seen.json"

    @live
    async def run():
        async with paxos.open(*world.urls(), name="ann", remember=kept) as log:
            await log.append(b"\xff\0")
            await log.append("y")
        data = json.loads(kept.read_text())
        its = data["services"]["memory:odd1"]
        assert its["list"] == "s1" and its["entries"] == len(world.things(1)) and data["log"]
        assert sorted(path.name for path in tmp_path.iterdir()) == ["seen.json"]
        saved = {number: list(world.things(number)) for number in (1, 2, 3)}

        async def refused(match):
            with pytest.raises(Mismatch, match=match):
                await opened(*world.urls(), name="ben", remember=kept)
            for number, things in saved.items():
                world.things(number)[:] = things
            async with paxos.open(*world.urls(), name="ben", remember=kept) as log:
                assert [one.text for one in await log.read(20)] == ["\ufffd\0", "y"]

        for number in (1, 2, 3):
            world.things(number).clear()
        await refused("is empty, but this device has seen a log there")
        world.things(2).clear()
        await refused("memory:odd2 is empty")
        first = wire.genesis(saved[1][0])
        for number in (1, 2, 3):
            other = Genesis(f"s{number}", first.lists, "e" * 32)
            world.things(number)[0] = wire.pack(other)
        await refused("another log than the one that this device has seen")
        world.things(3)[-1] = b"something else"
        await refused("memory:odd3: what this device has read there before has changed")
        world.things(1)[0], world.things(2)[0] = world.things(2)[0], world.things(1)[0]
        await refused("is s2 of the log, and was s1")

    run()


def test_an_emptied_list_of_a_log_without_entries_is_missed_too(world, tmp_path):
    kept = tmp_path / "seen.json"

    @live
    async def run():
        await opened(*world.urls(), remember=kept)
        world.things(2).clear()
        with pytest.raises(Mismatch, match="memory:odd2 is empty, but this device has seen a log"):
            await opened(*world.urls(), remember=kept)
        assert await opened(*world.urls())  # whoever has not seen it makes it again

    run()


def test_an_older_copy_of_a_list_is_not_used_until_it_has_caught_up(world, tmp_path, caplog):
    kept = tmp_path / "seen.json"

    @live
    async def run():
        async with paxos.open(*world.urls(), name="ann", remember=kept) as log:
            for text in "abc":
                await log.append(text)
        rest = world.things(1)[2:]
        del world.things(1)[2:]
        world[2].down = True
        async with paxos.open(*world.urls(), name="ben", remember=kept) as log:
            with pytest.raises(paxos.Undecided, match="shows 2 entries, and this device has seen"):
                await log.append("d", timeout=0.3)
            world.things(1)[2:] = rest
            assert len(await log.read(timeout=20)) >= 3

    run()


def test_a_list_that_changed_while_it_was_out_of_reach_is_refused_when_it_is_back(
    world, tmp_path, caplog
):
    kept = tmp_path / "seen.json"

    @live
    async def run():
        async with paxos.open(*world.urls(), name="ann", remember=kept) as log:
            await log.append("x")
        world.things(2)[1] = b"something else"
        world[2].down, before = True, list(world.things(2))
        async with paxos.open(*world.urls(), name="ben", remember=kept) as log:
            world[2].down = False
            while "not used any more" not in (log.status()[1].error or ""):
                await log.append("y", timeout=20)
            assert "memory:odd2 is not used any more" in caplog.text
            assert await log.append("z", timeout=20) > 0
            assert world.things(2) == before
        with pytest.raises(Mismatch, match="has changed"):
            await opened(*world.urls(), name="ben", remember=kept)

    run()


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format":"paxos-seen","version":1}', "\x00"])
def test_a_damaged_memory_is_not_taken_for_none(world, tmp_path, text):
    kept = tmp_path / "seen.json"
    kept.write_text(text)

    @live
    async def run():
        with pytest.raises(Mismatch, match="is not what paxos wrote there"):
            await opened(*world.urls(), remember=kept)

    run()


def test_a_folder_that_is_not_mounted_is_not_taken_for_a_new_one(tmp_path):
    kept, urls = tmp_path / "seen.json", [f"file://{tmp_path}/{n}" for n in range(3)]

    @live
    async def run():
        await opened(*urls, remember=kept)
        for number in range(3):
            shutil.move(tmp_path / str(number), tmp_path / f"away{number}")
        with pytest.raises(ServiceError, match="no service of the log answers"):
            await opened(*urls, remember=kept)
        assert not (tmp_path / "0").exists()
        (tmp_path / "0").mkdir()
        with pytest.raises(Mismatch, match="0 is empty, but this device has seen a log there"):
            await opened(*urls, remember=kept)

    run()
