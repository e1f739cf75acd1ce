import pytest
import torch
from torch.utils.data import DataLoader

import domainfusion as df
from conftest import SMALL


@pytest.fixture(scope="module")
def sources(demo_set):
    return df.Sources(demo_set, "sketch", options=SMALL)


@pytest.fixture(scope="module")
def rounds(sources, demo_ldm, tmp_path_factory):
    folder = tmp_path_factory.mktemp("rounds")
    made = df.Rounds(sources, demo_ldm, folder / "synthetic", rounds=2, candidates=folder / "store")
    for round in (0, 1):
        summary = made.run(round)
        assert summary["round"] == round and summary["covered"] == 2
    return made


def test_images_are_those_of_the_folders(demo_set):
    images = df.Images(demo_set)
    assert images.domain_names == ["cartoon", "painting", "photo", "sketch"] and len(images) == 7 * (4 + 4 + 4 + 3)
    image, label, domain = images[5]
    path = demo_set / images.path(5)
    assert torch.equal(image, df.read_image(path).permute(2, 0, 1) / 255)
    assert path.parent.name == images.class_names[label] and path.parent.parent.name == images.domain_names[domain]
    assert df.Images(demo_set, transform=lambda x: x.mean())[5][0] == image.mean()


@pytest.mark.parametrize("workers", [0, 2])
def test_a_dataloader_reads_them_with_and_without_workers(demo_set, sources, workers):
    # Loaders and networks have used their threads by then, as they have in training.
    sources.loader().batch(0)
    sources.classifier()(torch.randn(2, 3, 32, 32)).sum().backward()
    images = df.Images(demo_set, size_px=32)
    loader = DataLoader(images, batch_size=16, num_workers=workers, timeout=60 if workers else 0)
    shapes = [(batch.shape, labels.shape) for batch, labels, domains in loader]
    assert sum(shape[0] for shape, _ in shapes) == len(images) and shapes[0][0][1:] == (3, 32, 32)


def test_the_target_cannot_be_reached(sources, demo_ldm):
    assert sources.held_out == ["sketch"] and sources.domain_names == ["cartoon", "painting", "photo"]
    assert len(sources.train) + len(sources.validation) == 7 * 12
    seen = {sources.train.path(i) for i in range(len(sources.train))}
    assert not seen & {sources.validation.path(i) for i in range(len(sources.validation))}
    assert not any(path.startswith("sketch") for path in seen)
    with pytest.raises(df.ConfigError, match="sketch"):
        sources.check_prompt("a sketch of a dog")
    assert sources.check_ldm(demo_ldm)["provenance_recorded"] is True


def test_an_ldm_that_saw_the_target_is_refused(demo_set, demo_ldm, tmp_path):
    of_photo = df.Sources(demo_set, "photo", options=SMALL)
    with pytest.raises(df.ConfigError, match="photo"):
        of_photo.check_ldm(demo_ldm)
    with pytest.raises(df.ConfigError, match="photo"):
        df.Rounds(of_photo, demo_ldm, tmp_path / "synthetic", rounds=1)


def test_batches_depend_on_the_step_alone(sources):
    loader = sources.loader()
    batch = loader.batch(3)
    again = sources.loader().batch(3)
    assert torch.equal(batch.images, again.images) and torch.equal(batch.indices, again.indices)
    assert batch.images.shape == (12, 3, 32, 32) and loader.images_per_step == 12
    assert [sources.train.native.label(d, i) for d, i in zip(batch.domains.tolist(), batch.indices.tolist())] == batch.labels.tolist()
    with pytest.raises(ValueError, match="batch_size = 0"):
        sources.loader("raw", 0)


def test_rounds_are_a_set_of_their_newest_images(rounds, sources):
    assert len(rounds.summaries) == 2
    assert len(rounds) == len({(r["domain"], r["index"]) for k in (0, 1) for r in rounds.records(k) if r["file"]})
    image, label, record = rounds[0]
    assert image.shape == (3, 64, 64) and label == sources.train.native.label(record["domain"], record["index"])
    assert torch.equal(image, df.read_image(rounds.folder / record["file"]).permute(2, 0, 1) / 255)
    rounds.show(0)
    assert 0 < len(rounds) <= 2 and all(record["round"] == 0 for _, _, record in rounds)
    rounds.show(1)
    with pytest.raises(df.ConfigError, match="2 are finished"):
        rounds.show(2)
    batch = rounds.loader(batch_size=2).batch(0)
    assert batch.images.shape[1:] == (3, 32, 32)
    assert [row["files"]["raw"].exists() for row in rounds.pictures(0)] == [True]


def test_a_finished_round_is_there_at_once(rounds, sources, demo_ldm):
    again = df.Rounds(sources, demo_ldm, rounds.folder, rounds=2)
    assert again.run(0) == rounds.summaries[0] and len(again) == len(rounds)
    with pytest.raises(df.ConfigError, match="steps"):
        df.Rounds(sources, demo_ldm, rounds.folder, rounds=2, steps=5)


def test_the_rounds_of_a_run_can_be_looked_at(finished_run):
    rounds = df.Rounds.of_run(finished_run)
    assert len(rounds.summaries) >= 1 and len(rounds) >= 1
    with pytest.raises(df.ConfigError, match="made by the program"):
        rounds.run(0)
    with pytest.raises(OSError):
        df.Rounds.of_run(finished_run.parent)


def test_a_candidate_store_holds_what_rounds_made(rounds, demo_ldm):
    store = df.CandidateStore(rounds.folder.parent / "store")
    assert len(store) == 2 * 2 * 2 and not store.failures and not store.broken()
    z, provenance = store[0]
    assert list(z.shape) == demo_ldm.latent_shape and provenance["key"]["ldm"] == demo_ldm.weights_hash()
    loader = DataLoader(store, batch_size=4, num_workers=2, collate_fn=lambda items: torch.stack([z for z, _ in items]), timeout=60)
    assert [batch.shape[0] for batch in loader] == [4, 4]
    file = next((rounds.folder.parent / "store").glob("*/*.safetensors"))
    file.write_bytes(file.read_bytes()[:-1])
    assert len(store.broken()) == 1
    with pytest.raises(OSError, match="no folder"):
        df.CandidateStore(rounds.folder / "absent")
