"""pip install: builds the module with CMake and packs it, with nothing but Python's own library (PEP 517).

build/release is used where it was configured for this interpreter's torch, so that what scripts/build has built is not built again; else
build/python-TAG, against the torch that this interpreter imports. `--config-settings build-dir=DIR` names another folder.
"""

import base64
import hashlib
import os
import pathlib
import re
import subprocess
import sys
import sysconfig
import zipfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
TAG = f"cp{sys.version_info[0]}{sys.version_info[1]}"
ASK_TORCH = (
    "import os, torch; print(os.path.realpath(os.path.join(os.path.dirname(torch.__file__), 'lib/libtorch_python.so')));"
    "print(torch.utils.cmake_prefix_path)"
)


def get_requires_for_build_wheel(config_settings=None):
    return []


def _version():
    return re.search(r"project\(domainfusion VERSION ([0-9.]+)", (ROOT / "CMakeLists.txt").read_text()).group(1)


def _torch():
    """libtorch_python of this interpreter's torch, and where CMake finds that torch. Isolated: pip hides what is installed."""
    asked = subprocess.run([sys.executable, "-I", "-c", ASK_TORCH], stdout=subprocess.PIPE, universal_newlines=True)
    if asked.returncode != 0:
        raise SystemExit(f"domainfusion needs torch for {sys.executable}: install it first (apt-get install python3-torch, or pip)")
    return asked.stdout.split("\n")[:2]


def _build_folder(torch_library, settings):
    if "build-dir" in settings:
        return pathlib.Path(settings["build-dir"]).absolute()
    release = ROOT / "build" / "release"
    cache = release / "CMakeCache.txt"
    fits = cache.exists() and f"DOMAINFUSION_TORCH_OF_PYTHON:INTERNAL={torch_library}\n" in cache.read_text()
    return release if fits else ROOT / "build" / f"python-{TAG}"


def _built_package(settings):
    torch_library, torch_prefix = _torch()
    build = _build_folder(torch_library, settings)
    if not (build / "CMakeCache.txt").exists():
        options = ["-DCMAKE_BUILD_TYPE=Release", "-DCMAKE_UNITY_BUILD=ON", "-DCMAKE_UNITY_BUILD_BATCH_SIZE=0", "-DDOMAINFUSION_TESTS=OFF",
                   "-DDOMAINFUSION_PYTHON=ON", f"-DPython3_EXECUTABLE={sys.executable}"]
        if not torch_library.startswith("/usr/lib/"):  # Debian's libtorch is found by itself
            options.append(f"-DCMAKE_PREFIX_PATH={torch_prefix}")
        subprocess.run(["cmake", "-S", ROOT, "-B", build, "-G", "Ninja", *options], check=True)
    subprocess.run(["cmake", "--build", build, "--target", "df_python"], check=True)
    package = build / "python" / "domainfusion"
    module = f"_native{sysconfig.get_config_var('EXT_SUFFIX')}"
    if not (package / module).exists():
        raise SystemExit(f"{package} holds no {module}: {build} was configured for another interpreter; remove it, or name another "
                         "folder with --config-settings build-dir=DIR")
    sources = sorted((ROOT / "python" / "domainfusion").glob("*.py*")) + [ROOT / "python" / "domainfusion" / "py.typed"]
    return [*sources, package / "_built_with.py", package / module]


def _metadata():
    return (f"Metadata-Version: 2.1\nName: domainfusion\nVersion: {_version()}\n"
            "Summary: Domain generalization with a frozen latent diffusion model\nLicense: Apache-2.0\n"
            "Requires-Python: >=3.9\nRequires-Dist: torch\n")


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    files = _built_package(config_settings or {})
    platform = re.sub(r"[-.]", "_", sysconfig.get_platform())
    tag = f"{TAG}-{TAG}-{platform}"
    info = f"domainfusion-{_version()}.dist-info"
    texts = {
        f"{info}/METADATA": _metadata(),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: domainfusion\nRoot-Is-Purelib: false\nTag: {tag}\n",
    }
    contents = {f"domainfusion/{file.name}": file.read_bytes() for file in files}
    contents[f"{info}/LICENSE"] = (ROOT / "LICENSE").read_bytes()
    contents.update({name: text.encode() for name, text in texts.items()})
    record = ""
    for name, content in contents.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        record += f"{name},sha256={digest},{len(content)}\n"
    contents[f"{info}/RECORD"] = (record + f"{info}/RECORD,,\n").encode()
    wheel = f"domainfusion-{_version()}-{tag}.whl"
    with zipfile.ZipFile(os.path.join(wheel_directory, wheel), "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return wheel
