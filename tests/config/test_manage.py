import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from config import embedded, servers

BASE_DIR = Path(__file__).resolve().parent.parent.parent
MEMBERS = "from governance.models import User; print('users', User.objects.count())"


def environment(data_dir: Path, **variables: str) -> dict[str, str]:
    """What a shell with no other set-up has; the tests' own servers and settings are none of its business."""
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG"}}
    return {**kept, "DATA_DIR": str(data_dir), **variables}


def begin(data_dir: Path, *arguments: str, **variables: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "manage.py", *arguments],
        cwd=BASE_DIR,
        env=environment(data_dir, **variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def manage(data_dir: Path, *arguments: str, **variables: str) -> tuple[int, str, str]:
    process = begin(data_dir, *arguments, **variables)
    out, err = process.communicate()
    return process.returncode, out, err


class TestServersOfACommand:
    def test_are_there_for_five_that_start_at_once_on_an_empty_folder(self, tmp_path: Path) -> None:
        data_dir = tmp_path / "data"
        processes = [begin(data_dir, "shell", "-v", "0", "-c", MEMBERS) for _ in range(5)]

        answers = [(*process.communicate(), process.returncode) for process in processes]

        assert [(out, code) for out, _, code in answers] == [("users 0\n", 0)] * 5, answers
        assert [err for _, err, _ in answers] == [""] * 5
        assert embedded.stop_if_unused(data_dir)

    @pytest.mark.parametrize(
        "arguments",
        [["help"], ["--version"], ["check", "--help"], ["makemigrations", "--check", "--dry-run"]],
    )
    def test_are_not_started_for_commands_that_need_none(self, tmp_path: Path, arguments: list[str]) -> None:
        code, _, err = manage(tmp_path / "data", *arguments)

        assert (code, err) == (0, "")
        assert not (tmp_path / "data" / "embedded").exists()

    def test_are_needed_by_everything_else(self) -> None:
        assert servers.needed_by(["manage.py", "register_dataset", "NAME"])
        assert not servers.needed_by(["manage.py", "verify_report", "DIR"])
        assert not servers.needed_by(["manage.py", "register_dataset", "--help"])
        assert not servers.needed_by(["manage.py"])


class TestExitCode:
    @pytest.mark.parametrize(
        ("variable", "address", "code", "sentence"),
        [
            ("DATABASE_URL", "mysql://someone@localhost/music", 2, "DATABASE_URL starts with 'mysql'"),
            ("DATABASE_URL", "postgresql://localhost", 2, "DATABASE_URL names no database"),
            ("DATABASE_URL", "postgresql://127.0.0.1:1/music", 3, "DATABASE_URL leads to no usable database"),
            ("DATABASE_URL", "music", 2, "DATABASE_URL starts with no scheme"),
            (
                "DATABASE_URL",
                "postgresql://me:a/b@127.0.0.1/music",
                2,
                "DATABASE_URL can't be read: the port",
            ),
            ("BROKER_URL", "ftp://localhost", 2, "BROKER_URL starts with 'ftp'"),
            ("STORAGE_URL", "nowhere", 2, "STORAGE_URL is 'nowhere'"),
            pytest.param(
                *("STORAGE_URL", "s3://bucket/music", 2, "STORAGE_URL leads to S3, which needs the extra s3"),
                marks=pytest.mark.skipif(find_spec("boto3") is not None, reason="the extra s3 is installed"),
            ),
            ("DATA_DIR", "/proc/nowhere", 2, "DATA_DIR"),
            ("LOG_LEVEL", "loud", 2, "LOG_LEVEL is 'LOUD': use DEBUG"),
            ("NUM_PROXIES", "many", 2, "NUM_PROXIES is 'many': use a number"),
            ("UPLOAD_MAX_BYTES", "-1", 2, "UPLOAD_MAX_BYTES is '-1': use a number"),
            ("STYLE_MODEL", "/nowhere", 2, "STYLE_MODEL is '/nowhere': use musicnn, none, or the folder"),
            ("WATTS_PER_CPU", "nan", 2, "WATTS_PER_CPU is 'nan': use a number"),
            ("HTTPS", "perhaps", 2, "HTTPS is 'perhaps': use true or false"),
        ],
    )
    def test_comes_with_one_sentence(
        self, tmp_path: Path, variable: str, address: str, code: int, sentence: str
    ) -> None:
        got, out, err = manage(
            tmp_path, "showmigrations", **{"BROKER_URL": "redis://127.0.0.1:1", variable: address}
        )

        assert (got, out) == (code, "")
        assert err.startswith(sentence)
        assert err.count("\n") == 1

    def test_says_that_a_broker_is_down_to_whoever_needs_one(self, tmp_path: Path) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "config.worker"],
            cwd=BASE_DIR,
            env=environment(tmp_path, BROKER_URL="redis://127.0.0.1:1"),
            capture_output=True,
            text=True,
            check=False,
        )

        assert (done.returncode, done.stdout) == (3, "")
        assert done.stderr.splitlines()[-1].startswith("BROKER_URL leads to no broker that answers")
        assert embedded.stop_if_unused(tmp_path)


class TestMessages:
    def test_of_a_command_that_refuses_are_the_one_sentence(self, tmp_path: Path) -> None:
        code, out, err = manage(tmp_path / "data", "verify_report", str(tmp_path / "nowhere"), "--json")

        assert (code, out) == (2, "")
        assert err == f"Can't read {tmp_path / 'nowhere'}: No such file or directory.\n"

    @pytest.mark.parametrize(
        ("is_terminal", "argument", "said"),
        [(True, "--wait", "Wait.\n"), (True, "--json", ""), (False, "--wait", "")],
    )
    def test_that_something_takes_long_are_for_a_person(
        self,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        is_terminal: bool,
        argument: str,
        said: str,
    ) -> None:
        monkeypatch.setattr(sys, "argv", ["manage.py", "index_dataset", argument])
        monkeypatch.setattr(sys.stderr, "isatty", lambda: is_terminal)
        servers._tell_who_waits("Wait.")
        assert capsys.readouterr() == ("", said)


class TestImports:
    def test_of_the_web_load_neither_torch_nor_faiss(self, tmp_path: Path) -> None:
        program = "import django, sys; django.setup(); import config.urls; print({'torch', 'faiss'} & set(sys.modules))"
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=BASE_DIR,
            env=environment(tmp_path, DJANGO_SETTINGS_MODULE="config.settings"),
            capture_output=True,
            text=True,
            check=False,
        )

        assert (done.stdout, done.returncode) == ("set()\n", 0), done.stderr
