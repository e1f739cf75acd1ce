import pytest
import torch

import domainfusion as df
from conftest import run


def test_records_are_the_lines_of_the_run(finished_run):
    records = df.records(finished_run)
    assert [record["step"] for record in records if record["type"] == "step"] == list(range(8))
    assert {"ldm", "guard", "round", "distillation", "validation", "test"} <= {record["type"] for record in records}
    description = df.run_description(finished_run)
    assert description["config"]["steps"] == 8 and description["domains"] == ["cartoon", "painting", "photo", "sketch"]
    with pytest.raises(OSError, match="run"):
        df.records(finished_run / "synthetic")


def test_tables_are_the_programs_tables(finished_run):
    tables = df.tables([finished_run.parent])
    (row,) = tables["rows"]
    assert row["domain"] == "sketch" and row["expected"] == 1 and row["standard_error"] is None
    (test,) = [record for record in df.records(finished_run) if record["type"] == "test"]
    assert row["mean"] == pytest.approx(test["accuracy"]) and row["accuracies"] == [row["mean"]]
    lines = run("tables", finished_run.parent, "--format", "csv").splitlines()
    printed = lines[lines.index("system,domain,mean,standard_error,runs,expected") + 1].split(",")
    assert printed[:2] == [row["system"], row["domain"]] and float(printed[2]) == pytest.approx(100 * row["mean"])
    with pytest.raises(ValueError, match="selection = 'best'"):
        df.tables([finished_run.parent], "best")
    with pytest.raises(OSError, match="no run is in"):
        df.tables([finished_run / "synthetic"])


def test_fourier_parts_make_the_image_again():
    images = torch.rand(3, 3, 16, 16)
    fourier = df.Decomposition("fourier")
    parts = fourier.decompose(images)
    assert fourier.space == "pixels" and len(parts) == 3
    assert torch.allclose(fourier.fused(parts[0], parts[0], parts[0]), images[:1], atol=1e-5)
    similarity = fourier.style_similarity(parts[0], parts)
    assert similarity.shape == (3,) and similarity[0] == pytest.approx(1, abs=1e-5) and similarity[1] < similarity[0]
    chosen = fourier.select(parts[0], parts)
    assert chosen["content"] == 0 and chosen["style"] in (1, 2) and len(chosen["style_similarities"]) == 3
    assert chosen["style_similarities"] == pytest.approx(similarity.tolist())


def test_adain_gives_the_statistics_of_the_style():
    adain = df.Decomposition("adain")
    z = torch.randn(2, 4, 8, 8) * torch.tensor([1.0, 3.0])[:, None, None, None] + torch.tensor([0.0, 2.0])[:, None, None, None]
    parts = adain.decompose(z)
    made = adain.fused(parts[0], parts[1], parts[0])
    assert adain.space == "latents"
    assert torch.allclose(made.mean((2, 3)), z[1:].mean((2, 3)), atol=1e-3)
    assert torch.allclose(made.std((2, 3)), z[1:].std((2, 3)), rtol=1e-2)


def test_mixed_styles_follow_their_formulas():
    x, style = torch.randn(2, 3, 8, 8, requires_grad=True), torch.randn(2, 3, 8, 8) * 2 + 1
    assert torch.allclose(df.mix_statistics(x, style, torch.ones(2)), x, atol=1e-4)
    mixed = df.mix_statistics(x, style, torch.zeros(2))
    assert torch.allclose(mixed.mean((2, 3)), style.mean((2, 3)), atol=1e-4)
    mixed.sum().backward()
    assert torch.isfinite(x.grad).all()
    matched = df.match_distribution(x, style, torch.zeros(2))
    assert torch.allclose(matched.flatten(2).sort().values, style.flatten(2).sort().values, atol=1e-5)
    images = torch.rand(2, 3, 8, 8)
    assert torch.allclose(df.mix_spectra(images, torch.rand(3, 3, 8, 8), max_share=0.0), images, atol=1e-5)
    assert torch.equal(*(df.mix_spectra(images, images.flip(0), seed=s) for s in (1, 1)))
    assert not torch.equal(*(df.mix_spectra(images, images.flip(0), seed=s) for s in (1, 2)))


@pytest.mark.parametrize(
    "call, text",
    [
        (lambda: df.Decomposition("furier"), "did you mean 'fourier'"),
        (lambda: df.Decomposition("fourier", {"mix": 2}), "mix"),
        (lambda: df.Decomposition("fourier").decompose(torch.rand(3, 8, 8)), "3x8x8"),
        (lambda: df.mix_statistics(torch.rand(1, 3, 8, 8), torch.rand(1, 3, 4, 4), torch.ones(1)), "4"),
        (lambda: df.mix_spectra(torch.rand(1, 3, 8, 8), torch.rand(1, 3, 4, 4)), "4"),
    ],
)
def test_wrong_styles_are_errors(call, text):
    with pytest.raises(ValueError, match=text):
        call()


def test_a_style_of_two_images_is_no_style():
    fourier = df.Decomposition("fourier")
    parts = fourier.decompose(torch.rand(2, 3, 8, 8))
    with pytest.raises(df.ShapeError, match="style of 2 images: expected one"):
        fourier.fused(parts[0], parts, parts[0])
    with pytest.raises(IndexError):
        parts[2]
