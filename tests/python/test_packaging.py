import importlib.util
import os
import pathlib
import subprocess
import sys
import zipfile

from conftest import PROGRAM, ROOT


def test_the_wheel_of_pip_install_is_whole_and_can_be_imported(tmp_path):
    spec = importlib.util.spec_from_file_location("build_backend", ROOT / "python" / "build_backend.py")
    backend = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(backend)
    wheel = backend.build_wheel(str(tmp_path), {"build-dir": str(pathlib.Path(PROGRAM).parent)})
    with zipfile.ZipFile(tmp_path / wheel) as archive:
        names = archive.namelist()
        archive.extractall(tmp_path / "site")
    assert {"domainfusion/__init__.py", "domainfusion/_native.pyi", "domainfusion/py.typed", "domainfusion/_built_with.py"} <= set(names)
    listed = [line.split(",")[0] for line in next((tmp_path / "site").glob("*.dist-info/RECORD")).read_text().splitlines()]
    assert sorted(listed) == sorted(names)
    said = subprocess.run([sys.executable, "-c", "import domainfusion; print(domainfusion.__file__, domainfusion.available_cpus())"],
                          stdout=subprocess.PIPE, universal_newlines=True, check=True, cwd=tmp_path,
                          env={**os.environ, "PYTHONPATH": str(tmp_path / "site")}).stdout
    assert said.startswith(str(tmp_path / "site")) and int(said.split()[-1]) >= 1
