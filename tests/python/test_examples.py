"""examples/python; training_loop.py is held to the program's run in test_training.py."""

import builtins
import importlib.util
import json
import os
import re
import subprocess
import sys

import pytest

import domainfusion
from conftest import DEMO_LDM, ROOT

EXAMPLES = ROOT / "examples" / "python"


def has(module):
    return importlib.util.find_spec(module) is not None


def test_every_example_is_python_of_this_release():
    names = sorted(path.name for path in EXAMPLES.glob("*.py"))
    assert names == ["domainbed_algorithm.py", "lightning_module.py", "training_loop.py"]
    for name in names:
        compile((EXAMPLES / name).read_text(), name, "exec")


def test_the_guides_code_names_what_is_there():
    text = (ROOT / "docs" / "guide" / "python.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(blocks) >= 3
    for block in blocks:
        compile(block, "python.md", "exec")
        for name in re.findall(r"\bdf\.(\w+)", block):
            assert hasattr(domainfusion, name), name
    for name in re.findall(r"examples/python/[\w.]+", text):
        assert (ROOT / name).exists(), name


@pytest.mark.skipif("DOMAINFUSION_DOMAINBED_DIR" not in os.environ,
                    reason="left out: needs DOMAINFUSION_DOMAINBED_DIR, a checkout of DomainBed")
def test_domainbeds_train_script_runs_the_algorithm(tmp_path):
    hparams = {"ldm": str(DEMO_LDM), "classes": ["dog", "cat"], "domains": ["photo", "painting"], "batch_size": 4, "round_every": 2,
               "round_images": 2, "candidates": 2, "ldm_steps": 2}
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([os.environ["DOMAINFUSION_DOMAINBED_DIR"], os.environ["PYTHONPATH"]])}
    done = subprocess.run(
        [sys.executable, EXAMPLES / "domainbed_algorithm.py", "--data_dir", tmp_path, "--dataset", "Debug28", "--algorithm", "DomainFusion",
         "--test_envs", "2", "--steps", "5", "--checkpoint_freq", "2", "--output_dir", tmp_path / "out", "--hparams", json.dumps(hparams)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True, env=environment)
    assert done.returncode == 0, done.stdout
    lines = [json.loads(line) for line in open(tmp_path / "out" / "results.jsonl")]
    assert [line["step"] for line in lines] == [0, 2, 4] and lines[-1]["synthetic"] > lines[0]["synthetic"] >= 2
    assert all("env2_in_acc" in line for line in lines) and (tmp_path / "out" / "done").exists()


@pytest.mark.skipif(not has("lightning"), reason="left out: needs lightning")
def test_lightning_trains_the_module(demo_set, demo_ldm, tmp_path):
    import lightning

    import domainfusion as df
    from conftest import SMALL

    spec = importlib.util.spec_from_file_location("lightning_module", EXAMPLES / "lightning_module.py")
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    sources = df.Sources(demo_set, "sketch", options=SMALL)
    module = example.DomainFusionModule(sources, demo_ldm, tmp_path)
    trainer = lightning.Trainer(max_steps=2, logger=False, enable_checkpointing=False, accelerator="cpu")
    trainer.fit(module)
    assert trainer.global_step == 2 and "loss" in trainer.callback_metrics


@pytest.mark.skipif(not has("PIL"), reason="left out: needs PIL (python3-pil)")
def test_the_notebook_runs(demo_set, tmp_path, monkeypatch):
    monkeypatch.setenv("DATA", str(demo_set))
    monkeypatch.setenv("LDM", str(DEMO_LDM))
    monkeypatch.setenv("OUT", str(tmp_path / "rounds"))
    names = {"__builtins__": builtins}
    cells = [cell for cell in json.loads((EXAMPLES / "rounds.ipynb").read_text())["cells"] if cell["cell_type"] == "code"]
    for cell in cells:
        assert cell["outputs"] == []
        exec("".join(cell["source"]), names)
    picture = names["grid"]([[names["image"], names["image"]], [names["image"]]])
    assert picture.size == (2 * 2 * 64, 2 * 2 * 64)
    assert len(names["rounds"]) >= 1 and names["rounds"].pictures(0)
