import pytest
import torch

from xlt_utils import checkpoints


def test_what_is_saved_is_read_back_to_the_bit(tmp_path):
    tensors = {"a": torch.randn(3, 4), "b": torch.arange(5.0)[::2]}
    checkpoints.save(tmp_path / "last", tensors, {"step": 7})
    read, facts = checkpoints.load(tmp_path / "last")
    assert facts == {"step": 7}
    assert all(torch.equal(tensors[name], read[name]) for name in tensors)


@pytest.mark.parametrize("name", ["tensors.safetensors", "facts.json"])
def test_a_changed_or_missing_file_is_refused_by_name(tmp_path, name):
    checkpoints.save(tmp_path / "last", {"a": torch.ones(3)}, {"step": 1})
    file = tmp_path / "last" / name
    file.write_bytes(file.read_bytes()[:-1] + b"!")
    with pytest.raises(checkpoints.CheckpointError, match=name):
        checkpoints.load(tmp_path / "last")
    file.unlink()
    with pytest.raises(checkpoints.CheckpointError, match=name):
        checkpoints.load(tmp_path / "last")


def test_the_checkpoint_before_survives_a_stop_at_any_point(tmp_path, monkeypatch):
    folder = tmp_path / "last"
    checkpoints.save(folder, {"a": torch.ones(3)}, {"step": 1})
    rename = checkpoints.Path.rename

    def stop_at(target_name):
        def rename_or_stop(self, target):
            if checkpoints.Path(target).name == target_name:
                raise KeyboardInterrupt
            return rename(self, target)

        return rename_or_stop

    for target_name in ("last.old", "last"):
        monkeypatch.setattr(checkpoints.Path, "rename", stop_at(target_name))
        with pytest.raises(KeyboardInterrupt):
            checkpoints.save(folder, {"a": torch.zeros(3)}, {"step": 2})
        monkeypatch.setattr(checkpoints.Path, "rename", rename)
        assert checkpoints.exists(folder)
        assert checkpoints.load(folder)[1] == {"step": 1}
