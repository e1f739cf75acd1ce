import signal
import threading
import time

import pytest
import torch

import domainfusion
from conftest import ROOT, TINY_LDM


@pytest.fixture
def images(tiny_ldm):
    size = tiny_ldm.image_size_px
    return torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(1))


def test_encoding_and_decoding_go_there_and_back_with_gradients(tiny_ldm, images):
    images.requires_grad_()
    z = tiny_ldm.encode(images)
    assert list(z.shape[1:]) == tiny_ldm.latent_shape
    back = tiny_ldm.decode(z)
    assert back.shape == images.shape
    assert 0 <= back.min() and back.max() <= 1
    back.sum().backward()
    assert torch.isfinite(images.grad).all() and images.grad.abs().sum() > 0


def test_a_gradient_of_the_unet_is_that_of_differences(tiny_ldm):
    z = torch.randn(1, *tiny_ldm.latent_shape, requires_grad=True)
    condition = tiny_ldm.embed("a dog")
    t = torch.tensor([500])
    value = lambda point: tiny_ldm.predict_epsilon(point, t, condition).square().sum()
    value(z).backward()
    with torch.no_grad():
        direction = z.grad / z.grad.norm()
        differences = (value(z + 1e-2 * direction) - value(z - 1e-2 * direction)) / 2e-2
    assert torch.isclose(z.grad.norm(), differences, rtol=2e-2)


def test_image_to_image_depends_on_seed_and_ids_and_not_on_the_batch(tiny_ldm, images):
    options = dict(steps=4, strength=0.5, guidance_scale=1.0, scheduler="euler_ancestral")
    both = tiny_ldm.image_to_image(images, ["a dog", "a cat"], seed=3, ids=[7, 9], **options)
    assert both.shape == images.shape and not both.requires_grad
    alone = tiny_ldm.image_to_image(images[1:], "a cat", seed=3, ids=[9], **options)
    assert torch.allclose(both[1:], alone, atol=1e-4)
    other = tiny_ldm.image_to_image(images[1:], "a cat", seed=3, ids=[8], **options)
    assert (other - alone).abs().max() > 1e-2


def test_latents_and_noise_may_be_given_and_every_step_is_seen(tiny_ldm, images):
    z = tiny_ldm.encode(images).detach()
    noise = torch.randn_like(z)
    seen = []
    options = dict(noise=noise, steps=4, guidance_scale=1.0, decode=False)
    of_latents = tiny_ldm.image_to_image(None, "a dog", latents=z, on_latents=seen.append, **options)
    assert torch.equal(of_latents, tiny_ldm.image_to_image(images, "a dog", **options))
    assert len(seen) == 3 and torch.equal(seen[-1], of_latents)


def test_the_loop_of_schedulers_is_that_of_image_to_image(tiny_ldm, images):
    noise = torch.randn(2, *tiny_ldm.latent_shape)
    whole = tiny_ldm.image_to_image(images, "a dog", noise=noise, steps=4, guidance_scale=1.0, decode=False)
    scheduler = domainfusion.Scheduler("ddim", tiny_ldm.scheduler_config)
    start = scheduler.set_timesteps_from(4, 0.5)
    condition = tiny_ldm.embed(["a dog", "a dog"])
    with torch.no_grad():
        z = scheduler.add_noise(tiny_ldm.encode(images), noise, start)
        for i in range(start, len(scheduler.timesteps)):
            t = torch.full((2,), scheduler.timesteps[i])
            z = scheduler.step(tiny_ldm.predict(scheduler.scale_model_input(z, i), t, condition), i, z).sample
    assert torch.equal(z, whole)


def test_inversion_is_where_inverted_candidates_start(tiny_ldm, images):
    z = tiny_ldm.encode(images).detach()
    noisy = tiny_ldm.invert(images, "a dog", steps=10, count=4)
    assert noisy.shape == z.shape and torch.equal(noisy, tiny_ldm.invert(None, "a dog", latents=z, steps=10, count=4))
    seen = []
    tiny_ldm.image_to_image(images, "a cat", mode="inversion", inversion_prompts="a dog", strength=0.4, steps=10, on_latents=seen.append)
    assert torch.equal(seen[0], noisy) and len(seen) == 5


def test_what_a_model_says_of_itself(tiny_ldm):
    assert tiny_ldm.device == "cpu" and tiny_ldm.dtype == "float32"
    assert str(TINY_LDM) in repr(tiny_ldm) and len(tiny_ldm.weights_hash()) == 64
    assert tiny_ldm.provenance is None
    assert tiny_ldm.alphas_cumprod.shape == (1000,)
    demo = domainfusion.LatentDiffusion.load(ROOT / "assets" / "demo_ldm", lazy=True)
    assert "domains" in demo.provenance
    assert demo.scheduler_config["_class_name"].endswith("Scheduler")


def test_a_type_and_a_device_may_be_torchs_own():
    ldm = domainfusion.LatentDiffusion.load(TINY_LDM, dtype=torch.bfloat16, device=torch.device("cpu"), lazy=True)
    assert ldm.dtype == "bfloat16"
    z = ldm.encode(torch.rand(1, 3, ldm.image_size_px, ldm.image_size_px))
    assert z.dtype == torch.float32
    ldm.release("vae")


def test_other_threads_run_while_the_model_works(tiny_ldm, images):
    ticks = []
    done = threading.Event()

    def tick():
        while not done.is_set():
            ticks.append(time.perf_counter())
            time.sleep(0.001)

    thread = threading.Thread(target=tick)
    thread.start()
    began = time.perf_counter()
    tiny_ldm.image_to_image(images.repeat(4, 1, 1, 1), "a dog", steps=20, strength=1)
    ended = time.perf_counter()
    done.set()
    thread.join()
    gaps = [b - a for a, b in zip([began, *[t for t in ticks if began < t < ended]], ticks)]
    assert len(gaps) > 5, "no other thread ran in %.2f s" % (ended - began)


def test_a_signal_ends_a_call_between_its_steps(tiny_ldm, images):
    class Rang(Exception):
        pass

    def ring(*_):
        raise Rang

    before = signal.signal(signal.SIGALRM, ring)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        seen = []
        with pytest.raises(Rang):
            tiny_ldm.image_to_image(images, "a dog", steps=500, strength=1, on_latents=seen.append)
        assert len(seen) < 500
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_an_error_in_a_hook_ends_the_call(tiny_ldm, images):
    def stop(z):
        raise KeyError("enough")

    with pytest.raises(KeyError, match="enough"):
        tiny_ldm.image_to_image(images, "a dog", steps=4, on_latents=stop)


@pytest.mark.parametrize(
    "call, text",
    [
        (lambda m, x: m.encode(x[0]), r"images \[3, \d+, \d+\] of type Float: expected \[N, 3, H, W\]"),
        (lambda m, x: m.encode((255 * x).byte()), "of type Byte: expected"),
        (lambda m, x: m.image_to_image(x, ["a dog"]), "1 prompts for 2 images"),
        (lambda m, x: m.image_to_image(x, "a dog", strength=2), "strength = 2: expected 0 … 1"),
        (lambda m, x: m.image_to_image(x, "a dog", scheduler="dimm"), r"unknown scheduler 'dimm' \(did you mean"),
        (lambda m, x: m.image_to_image(None, "a dog"), "expected one of both"),
        (lambda m, x: m.image_to_image(x, "a dog", ids=[1]), "1 ids for 2 images"),
        (lambda m, x: m.image_to_image(x, "a dog", mode="img"), "mode = 'img'"),
        (lambda m, x: m.release("clip"), "part 'clip'"),
    ],
)
def test_wrong_arguments_are_value_errors_that_say_what_was_expected(tiny_ldm, images, call, text):
    with pytest.raises(ValueError, match=text) as error:
        call(tiny_ldm, images)
    assert isinstance(error.value, domainfusion.Error)
