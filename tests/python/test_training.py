import copy
import importlib.util
import pickle

import pytest
import torch
from torch.nn.functional import cross_entropy

import domainfusion as df
from conftest import ROOT, SMALL, as_arguments


def example(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "examples" / "python" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def sources(demo_set):
    return df.Sources(demo_set, "sketch", options=SMALL)


def small_classifier(**more):
    return df.Classifier(7, seed=1, image_size_px=32, stem="small", width=8, **more)


# The loop of examples/python/training_loop.py and `domainfusion train`.


def test_the_loop_in_python_gives_the_bits_of_the_programs_run(sources, demo_ldm, finished_run, tmp_path):
    losses = []
    classifier = example("training_loop").train(sources, demo_ldm, tmp_path, lambda step, loss: losses.append(loss))
    recorded = [record["loss"] for record in df.records(finished_run) if record["type"] == "step"]
    assert losses == recorded and len(losses) == 8
    saved = {name[len("model."):]: tensor for name, tensor in df.read_weights(finished_run / "checkpoint.safetensors").items()
             if name.startswith("model.")}
    state = classifier.state_dict()
    assert set(saved) == set(state)
    for name in saved:
        assert torch.equal(saved[name], state[name]), name
    theirs, ours = ([line for line in df.read_json_lines(folder / "synthetic" / "manifest.jsonl") if line["kind"] == "image"]
                    for folder in (finished_run, tmp_path))
    assert theirs == ours and len(ours) >= 2


def test_the_example_runs_from_the_command_line(demo_set, tmp_path, monkeypatch, capsys):
    module = example("training_loop")
    options = {**SMALL, "steps": 2, "domainfusion.online_augmentation": False}
    ldm = options.pop("ldm")
    monkeypatch.setattr("sys.argv", ["training_loop.py", "--data", str(demo_set), "--test-domain", "sketch", "--ldm", ldm, "--out",
                                     str(tmp_path / "loop"), "--threads", "1", *as_arguments(options)])
    module.main()
    assert "step 1: loss" in capsys.readouterr().out
    assert set(torch.load(tmp_path / "loop" / "last.pth")) == set(small_classifier().state_dict())


def test_the_classifier_is_validated_as_the_program_validates(sources, finished_run):
    best = df.load_run(finished_run)
    validation = [record for record in df.records(finished_run) if record["type"] == "validation"][-1]
    assert example("training_loop").accuracy(best, sources.validation, best.image_size_px) == pytest.approx(validation["mean_accuracy"])


# Distillation.


def test_distillations_gradient_is_that_of_its_formula(demo_ldm, sources):
    """L = lambda mean_i g_i p_i with g without graph: dL/dlogits = lambda g_i p_i (onehot - softmax) / n of the rows that were drawn."""
    teacher = df.LatentDistillation(demo_ldm, sources.class_words, seed=3, lambda_ld_mode="fixed", lambda_ld=2.0, fraction=1.0)
    images = torch.stack([sources.train.resized(64)[i][0] for i in (0, 30)])
    labels = torch.tensor([sources.train[i][1] for i in (0, 30)])
    logits = torch.randn(2, 7, requires_grad=True)
    loss = teacher(logits, labels, images=images, step=5)
    loss.backward()
    p = logits.detach().softmax(1)
    own = p[range(2), labels]
    direction = torch.nn.functional.one_hot(labels, 7) - p
    g = (logits.grad * direction).sum(1) / (own * direction.square().sum(1)) * 2 / 2.0
    assert torch.allclose(logits.grad, (2.0 * g * own / 2)[:, None] * direction, atol=1e-6)
    assert loss.item() == pytest.approx(2.0 * (g * own).mean().item(), rel=1e-4)
    assert teacher.figures["mean_g"] == pytest.approx(g.mean().item(), rel=1e-4)
    assert teacher.scalars["loss_ld"] == pytest.approx(loss.item())


def test_images_may_come_with_the_call_from_a_function_or_from_a_set(demo_ldm, sources):
    options = dict(seed=3, fraction=1.0, encoder="exact")
    labels = torch.tensor([sources.train[i][1] for i in (0, 30)])
    places = [sources.train.place(i) for i in (0, 30)]
    domains, indices = (torch.tensor(column) for column in zip(*places))
    plain = sources.train.resized(64)
    images = torch.stack([plain[i][0] for i in (0, 30)])
    logits = torch.randn(2, 7)
    asked = []

    def image_of(keys):
        asked.extend(keys)
        return torch.stack([images[places.index(key)] for key in keys])

    losses = [
        df.LatentDistillation(demo_ldm, sources.class_words, source=source, **options)(
            logits, labels, step=2, domains=domains, indices=indices, images=given)
        for source, given in ((None, images), (image_of, None), (sources.train, None))
    ]
    assert losses[0] == losses[1] == losses[2]
    assert asked == places


def test_the_curve_and_the_premise_are_measured_on_a_set(demo_ldm, sources):
    teacher = df.LatentDistillation(demo_ldm, sources.class_words, source=sources.train, curve={"gate_images": 4, "points": 5})
    with pytest.raises(df.Error, match="prepare"):
        teacher(torch.randn(2, 7), torch.tensor([0, 1]), domains=torch.tensor([0, 0]), indices=torch.tensor([0, 1]))
    record = teacher.prepare()
    assert record["chosen_points"] == teacher.curve_points
    assert 0 <= teacher.premise(sources.train.keys()[:4])["negative_share"] <= 1


def test_the_other_teacher_teaches_too(demo_ldm, sources):
    teacher = df.LatentDistillation(demo_ldm, sources.class_words, teacher="diffusion_classifier", fraction=1.0,
                                    diffusion_classifier={"max_classes": 3})
    logits = torch.randn(2, 7, requires_grad=True)
    teacher(logits, torch.tensor([0, 1]), images=torch.rand(2, 3, 32, 32)).backward()
    assert torch.isfinite(logits.grad).all() and logits.grad.abs().sum() > 0


@pytest.mark.parametrize(
    "call, text",
    [
        (lambda t: t(torch.randn(2, 7), torch.tensor([0, 1])), "distillation without images"),
        (lambda t: t(torch.randn(2, 7), torch.tensor([0, 1]), images=torch.rand(3, 3, 64, 64)), "3 images for 2 labels"),
        (lambda t: t(torch.randn(2, 7), torch.tensor([[0], [1]]), images=torch.rand(2, 3, 64, 64)), r"labels \[2, 1\].*int64 \[N\]"),
        (lambda t: t(torch.randn(2, 5), torch.tensor([0, 4]), images=torch.rand(2, 3, 64, 64)), r"\[2, 5\]: expected \[2, 7\]"),
        (lambda t: t(torch.randn(2, 7), torch.tensor([0, 7]), images=torch.rand(2, 3, 64, 64)), "a label outside of 0 … 6"),
        (lambda t: t.prepare(), "list of .domain, index, label."),
    ],
)
def test_wrong_batches_are_errors(demo_ldm, call, text):
    teacher = df.LatentDistillation(demo_ldm, ["a", "b", "c", "d", "e", "f", "g"])
    with pytest.raises(ValueError, match=text):
        call(teacher)


def test_wrong_options_are_errors_that_name_the_nearest(demo_ldm):
    with pytest.raises(df.ConfigError, match="shares.*did you mean"):
        df.LatentDistillation(demo_ldm, ["a", "b"], shares=1)


# The classifier as a module.


def test_a_classifier_trains_with_torchs_own_optimizer():
    classifier = small_classifier().train()
    optimizer = torch.optim.Adam(classifier.parameters(), lr=1e-2)
    images, labels = torch.randn(8, 3, 32, 32), torch.arange(8) % 7
    before = None
    for _ in range(10):
        loss = cross_entropy(classifier(images), labels)
        before = before or loss.item()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < before / 2
    assert all(isinstance(parameter, torch.nn.Parameter) for parameter in classifier.parameters())
    assert "layer1.0.conv1.weight" in classifier.state_dict() and "bn1.running_mean" in classifier.state_dict()


def test_the_programs_optimizer_equals_torchs_within_rounding():
    ours, theirs = small_classifier(), small_classifier()
    of_ours = df.Optimizer(list(ours.parameters()), {"lr": 0.01, "weight_decay": 0.1})
    of_theirs = torch.optim.Adam(theirs.parameters(), lr=0.01, weight_decay=0.1)
    for step in range(3):
        images = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(step))
        for classifier, optimizer in ((ours, of_ours), (theirs, of_theirs)):
            optimizer.zero_grad()
            classifier(images).square().sum().backward()
            optimizer.step()
    for a, b in zip(ours.parameters(), theirs.parameters()):
        assert torch.allclose(a, b, atol=1e-4)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda module: pickle.loads(pickle.dumps(module))])
def test_copies_have_weights_of_their_own(copied):
    classifier = small_classifier(dropout=0.5).eval()
    other = copied(classifier)
    images = torch.randn(2, 3, 32, 32)
    assert torch.equal(classifier(images), other(images)) and not other.training
    with torch.no_grad():
        next(other.parameters()).zero_()
    assert not torch.equal(classifier(images), other(images))


def test_modes_reach_the_network_and_dropout_is_named_by_the_step():
    classifier = small_classifier(dropout=0.5)
    images = torch.randn(4, 3, 32, 32)
    classifier.train()
    answers = []
    for step in (1, 1, 2):
        classifier.begin_step(7, step)
        answers.append(classifier.classify(torch.ones(4, classifier.feature_size)))
    assert torch.equal(answers[0], answers[1]) and not torch.equal(answers[0], answers[2])
    before = classifier.state_dict()["bn1.running_mean"].clone()
    classifier.eval()(images)
    assert torch.equal(before, classifier.bn1.running_mean)
    classifier.train()(images)
    assert not torch.equal(before, classifier.bn1.running_mean)


def test_a_type_reaches_weights_and_buffers():
    classifier = small_classifier().eval()
    images = torch.randn(2, 3, 32, 32)
    single = classifier(images)
    classifier.double()
    assert classifier.bn1.running_mean.dtype == torch.float64
    assert torch.allclose(classifier(images.double()).float(), single, atol=1e-4)


def test_a_run_is_loaded_with_its_names_and_figures(finished_run, demo_set):
    classifier = df.load_run(finished_run)
    assert classifier.class_names[0] in {path.name for path in (demo_set / "photo").iterdir()} and not classifier.training
    pictures = sorted((demo_set / "photo").glob("*/*"))[:3]
    probabilities = classifier.probabilities(pictures)
    assert probabilities.shape == (3, 7) and torch.allclose(probabilities.sum(1), torch.ones(3))
    images = df.Images(demo_set, size_px=classifier.image_size_px, view="evaluation")
    shown = [images[i][0] for i in range(len(images)) if demo_set / images.path(i) in pictures]
    assert torch.allclose(classifier(torch.stack(shown)).softmax(1), probabilities, atol=1e-5)
    with pytest.raises(OSError, match="no run|run.json"):
        df.load_run(demo_set)
    copied = copy.deepcopy(classifier)
    assert copied.class_names == classifier.class_names and torch.equal(copied(torch.stack(shown)), classifier(torch.stack(shown)))
    with pytest.raises(df.ConfigError, match="copied model"):
        copied.probabilities(pictures)
