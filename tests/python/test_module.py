import ast
import os
import pathlib
import re
import subprocess
import sys

import pytest
import torch

import domainfusion
from conftest import ROOT, TINY_LDM
from domainfusion import _native


def test_errors_are_children_of_what_python_code_catches(tmp_path):
    with pytest.raises(OSError, match="absent") as error:
        domainfusion.read_weights(tmp_path / "absent")
    assert type(error.value) is domainfusion.IoError
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"\x10\0\0\0\0\0\0\0{}")
    with pytest.raises(ValueError, match=re.escape(str(broken))) as error:
        domainfusion.read_weights(broken)
    assert type(error.value) is domainfusion.FormatError
    with pytest.raises(domainfusion.ConfigError, match="threads"):
        domainfusion.set_threads(-1)


def test_weights_are_those_that_torch_saved_and_writing_to_them_reaches_no_file(tmp_path):
    saved = {"a": torch.randn(3, 4), "b": torch.arange(5), "c": torch.randn(2).bfloat16()}
    path = tmp_path / "weights.pth"
    torch.save(saved, path)
    read = domainfusion.read_weights(path)
    assert set(read) == set(saved)
    assert all(torch.equal(read[name], saved[name]) and read[name].dtype == saved[name].dtype for name in saved)
    read["a"].zero_()
    assert torch.equal(domainfusion.read_weights(str(path))["a"], saved["a"])


def test_the_tokenizer_cuts_and_pads():
    tokenizer = domainfusion.ClipTokenizer.load(TINY_LDM / "tokenizer")
    ids = tokenizer(["a dog", "a " * 200])
    assert ids.shape == (2, tokenizer.length) and ids.dtype == torch.int64
    assert ids[0].tolist() == tokenizer.encode("a dog")
    assert ids[0, 0] == tokenizer.start_id and ids[1, -1] == tokenizer.end_id
    assert tokenizer.cut_text("a dog") == "" and tokenizer.cut_text("a " * 200) != ""
    assert tokenizer("a dog").shape == (1, tokenizer.length)


def test_every_scheduler_takes_its_steps():
    for name in domainfusion.scheduler_names():
        config = {"timestep_spacing": "leading"} if name == "ddim_inverse" else {}
        scheduler = domainfusion.Scheduler(name, config)
        scheduler.set_timesteps(4)
        z = torch.randn(1, 4, 8, 8)
        for i in range(len(scheduler.timesteps)):
            prediction = torch.tanh(scheduler.scale_model_input(z, i))
            noise = torch.randn_like(z) if scheduler.needs_noise(i) else None
            z = scheduler.step(prediction, i, z, noise).sample
        assert torch.isfinite(z).all(), name


def test_a_schedulers_mistakes_are_errors_and_no_crashes():
    scheduler = domainfusion.Scheduler("ddim")
    z = torch.randn(1, 4, 8, 8)
    with pytest.raises(ValueError, match="call set_timesteps first"):
        scheduler.step(z, 0, z)
    scheduler.set_timesteps(4)
    for index in (-1, 4):
        with pytest.raises(ValueError, match="expected 0 … 3"):
            scheduler.step(z, index, z)
    with pytest.raises(ValueError, match=r"prediction \[1, 4, 4, 4\]"):
        scheduler.step(z[:, :, :4, :4], 0, z)
    with pytest.raises(ValueError, match="prediction_type"):
        domainfusion.Scheduler("ddim", {"prediction_type": "noise"})
    with pytest.raises(ValueError, match="a value of type set"):
        domainfusion.Scheduler("ddim", {"trained_betas": {1}})


def named(body):
    return {node.name if not isinstance(node, ast.AnnAssign) else node.target.id for node in body
            if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AnnAssign))}


def members(value):
    """What the class itself has, its special functions only where it binds them (pybind11 gives every class an __init__)."""
    special = {"__init__", "__call__", "__len__", "__getitem__"}
    bound = lambda member: "(self: " in str(member.__doc__)
    return {name for name, member in vars(value).items() if not name.startswith("_") or name in special and bound(member)}


def test_the_stub_file_names_what_the_module_has():
    tree = ast.parse((ROOT / "python" / "domainfusion" / "_native.pyi").read_text())
    public = {name for name in vars(_native) if not name.startswith("_")} | {"__version__"}
    assert named(tree.body) == public
    for node in tree.body:
        value = getattr(_native, getattr(node, "name", ""), None)
        if isinstance(node, ast.ClassDef) and not issubclass(value, BaseException):
            assert named(node.body) == members(value), node.name
            for function in node.body:
                if isinstance(function, ast.FunctionDef):
                    check_arguments(function, getattr(value, function.name))
        elif isinstance(node, ast.FunctionDef):
            check_arguments(node, value)
    assert set(domainfusion.__all__) <= set(vars(domainfusion))


def check_arguments(function, value):
    """The names of a pybind11 function's arguments stand in the first line of its docstring."""
    signature = re.sub(r"\[[^()]*?\]", "", value.__doc__.splitlines()[0].replace("at::", ""))
    signature = signature[signature.index("(") + 1:]
    given = re.findall(r"(?:^|, )(\w+):", signature)
    arguments = function.args.args + function.args.kwonlyargs
    assert [a.arg for a in arguments if a.arg != "self"] == [name for name in given if name != "self"], value.__doc__


def test_another_torch_is_refused_with_the_remedy(tmp_path):
    package = tmp_path / "domainfusion"
    package.mkdir()
    for file in pathlib.Path(domainfusion.__file__).parent.iterdir():
        if file.name != "__pycache__":
            (package / file.name).symlink_to(file.resolve())
    (package / "_built_with.py").unlink()
    (package / "_built_with.py").write_text('torch_library = "/opt/libtorch_python.so"\n')
    done = subprocess.run([sys.executable, "-c", "import domainfusion"], env={**os.environ, "PYTHONPATH": str(tmp_path)},
                          stderr=subprocess.PIPE, universal_newlines=True)
    assert done.returncode != 0
    assert "was built with /opt/libtorch_python.so" in done.stderr and "pip install ." in done.stderr
