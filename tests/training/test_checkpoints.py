"""Checkpoints: read back to the bit or refused by name; whatever a stop interrupts, a whole one exists."""

import itertools
import os
import shutil

import pytest
import torch

from xlt_utils.training import checkpoints


def test_what_is_saved_is_read_back_to_the_bit(tmp_path):
    tensors = {"a": torch.randn(3, 4), "b": torch.arange(5.0)[::2]}
    checkpoints.save_checkpoint(tmp_path / "last", tensors, {"step": 7})
    read, facts = checkpoints.load_checkpoint(tmp_path / "last")
    assert facts == {"step": 7}
    assert all(torch.equal(tensors[name], read[name]) for name in tensors)


@pytest.mark.parametrize("name", ["tensors.safetensors", "facts.json", "manifest.json"])
def test_a_changed_cut_or_missing_file_is_refused_by_name(tmp_path, name):
    checkpoints.save_checkpoint(tmp_path / "last", {"a": torch.ones(3)}, {"step": 1})
    file = tmp_path / "last" / name
    content = file.read_bytes()
    for damaged in (content[:-1] + b"!", content[:-1], b""):
        file.write_bytes(damaged)
        with pytest.raises(checkpoints.CheckpointError, match=name):
            checkpoints.load_checkpoint(tmp_path / "last")
    file.unlink()
    with pytest.raises(checkpoints.CheckpointError, match=name):
        checkpoints.load_checkpoint(tmp_path / "last")


def kept_steps(folder) -> list[int]:
    return [checkpoints.load_checkpoint(path)[1]["step"] for path in checkpoints.kept_checkpoints(folder)]


def test_the_one_before_is_kept(tmp_path):
    assert checkpoints.kept_checkpoints(tmp_path / "last") == []
    for step in (1, 2, 3):
        checkpoints.save_checkpoint(tmp_path / "last", {"a": torch.ones(3)}, {"step": step})
    assert kept_steps(tmp_path / "last") == [3, 2]


class Stop(Exception):
    pass


# What a save does to the disk, and how often: the second and third save of three are stopped in each.
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(
    ("owner", "name", "times"), [(checkpoints.Path, "rename", 4), (os, "fsync", 8), (shutil, "rmtree", 4)]
)
def test_a_stop_anywhere_in_a_save_leaves_a_whole_one(tmp_path, monkeypatch, owner, name, times, after):
    function = getattr(owner, name)
    for number in range(1, times + 1):
        folder, calls = tmp_path / f"{number}" / "last", itertools.count(1)
        checkpoints.save_checkpoint(folder, {"a": torch.full((3,), 1.0)}, {"step": 1})

        def stopping(*args, calls=calls, number=number, **kwargs):
            stops = next(calls) == number
            if stops and not after:
                raise Stop
            result = function(*args, **kwargs)
            if stops:
                raise Stop
            return result

        with monkeypatch.context() as patch, pytest.raises(Stop):
            patch.setattr(owner, name, stopping)
            for started in (2, 3):
                checkpoints.save_checkpoint(folder, {"a": torch.full((3,), float(started))}, {"step": started})
        kept = checkpoints.kept_checkpoints(folder)
        tensors, facts = checkpoints.load_checkpoint(kept[0])
        assert facts["step"] in (started - 1, started) and tensors["a"][0] == facts["step"]
        # The next save goes on from there.
        checkpoints.save_checkpoint(folder, {"a": torch.full((3,), 4.0)}, {"step": 4})
        assert kept_steps(folder) == [4, facts["step"]]
