import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FULL = os.environ.get("INTENT_AGENT_FULL_COUNTS")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (made,) = folder.glob("*.whl")
    return made


@pytest.mark.slow
def test_the_wheel_holds_the_rooms_and_the_configuration_and_no_tests(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names if ".dist-info" not in name}
    assert tops == {"agent", "knowledge", "training"}
    assert "agent/_config/settings.yml" in names
    assert any(name.startswith("agent/_config/assistants/bank/knowledge/") for name in names)
    assert not any(
        part in name for name in names for part in ("__pycache__", "/models/", ".agent/")
    )


@pytest.mark.slow
def test_an_installed_wheel_runs_the_bundled_assistant_from_an_empty_folder(
    wheel: Path, tmp_path: Path
) -> None:
    python = install(wheel, tmp_path / "venv")
    empty = tmp_path / "empty"
    empty.mkdir()
    where = [str(python), "-c", "import agent; print(agent.__file__)"]
    found = subprocess.run(where, capture_output=True, text=True, cwd=empty)
    assert str(tmp_path / "venv") in found.stdout
    environment = {**os.environ, "INTENT_AGENT_HOME": str(tmp_path / "home")}
    environment["INTENT_AGENT_UNDERSTANDING__METHOD"] = "head"
    done = subprocess.run(
        [str(python), "-m", "agent", "chat"],
        input="hello\nwhat is my balance\n",
        capture_output=True,
        text=True,
        cwd=empty,
        env=environment,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    assert "€" in done.stdout
    assert list(empty.iterdir()) == []
    assert (tmp_path / "home" / "assistants" / "bank" / "models" / "production").is_file()


def install(wheel: Path, folder: Path) -> Path:
    """A new environment with the wheel; its dependencies are installed at full counts, else lent.

    Lending adds this environment's packages behind the wheel's, without their `.pth` files, so
    that the editable checkout is not among them.
    """
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = folder / "bin" / "python"
    pip = [str(python), "-m", "pip", "install", "-q"]
    if FULL:
        constraints = str(ROOT / "constraints.txt")
        subprocess.run([*pip, "-c", constraints, f"{wheel}[cpu]"], check=True)
        return python
    subprocess.run([*pip, "--no-deps", str(wheel)], check=True)
    (packages,) = (folder / "lib").glob("python*/site-packages")
    (packages / "lent.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return python
