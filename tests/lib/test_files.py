import errno
from pathlib import Path

import pytest

from lib import files


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def write_half(path: Path, error: Exception) -> None:
    with files.replacing(path) as part:
        part.write_bytes(b"ha")
        raise error


class TestReplacing:
    def test_puts_the_new_file_in_place(self, tmp_path: Path) -> None:
        with files.replacing(tmp_path / "new" / "index.bin") as part:
            part.write_bytes(b"whole")
            assert not (tmp_path / "new" / "index.bin").exists()

        assert (tmp_path / "new" / "index.bin").read_bytes() == b"whole"
        assert names(tmp_path / "new") == ["index.bin"]

    def test_keeps_the_old_file_when_the_block_raises(self, tmp_path: Path) -> None:
        path = tmp_path / "index.bin"
        path.write_bytes(b"old")

        with pytest.raises(ValueError, match="half"):
            write_half(path, ValueError("half"))

        assert path.read_bytes() == b"old"
        assert names(tmp_path) == ["index.bin"]

    @pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
    def test_names_a_full_disk_and_keeps_the_old_file(self, tmp_path: Path, number: int) -> None:
        path = tmp_path / "index.bin"
        path.write_bytes(b"old")

        with pytest.raises(files.DiskFullError, match="the disk is full"):
            write_half(path, OSError(number, "no room"))

        assert path.read_bytes() == b"old"
        assert names(tmp_path) == ["index.bin"]

    def test_refuses_a_block_that_wrote_nothing(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError), files.replacing(tmp_path / "index.bin"):
            pass

        assert names(tmp_path) == []
