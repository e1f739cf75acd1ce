"""DomainFusion as a Lightning module.

    sources = df.Sources("set", "sketch", options={"algorithm": "domainfusion", "loader.batch_size": 16})
    module = DomainFusionModule(sources, df.LatentDiffusion.load("assets/demo_ldm"), "lightning_run")
    lightning.Trainer(max_steps=sources.total_steps).fit(module)
"""

import pathlib

import torch
from lightning.pytorch import LightningModule
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, IterableDataset

import domainfusion as df


class Batches(IterableDataset):
    """The program's raw batches, which its own threads prepare: to be loaded without workers."""

    def __init__(self, sources):
        self.sources = sources

    def __iter__(self):
        loader = self.sources.loader("raw")
        for step in range(self.sources.total_steps):
            batch = loader.batch(step)
            yield batch.images, batch.labels, batch.domains, batch.indices


class DomainFusionModule(LightningModule):
    def __init__(self, sources, ldm, folder, distil=True):
        super().__init__()
        sources.check_ldm(ldm)
        self.sources = sources
        self.config = sources.config
        self.classifier = sources.classifier()
        self.teacher = None
        if distil:
            self.teacher = df.LatentDistillation(ldm, sources.class_words, source=sources.train, seed=self.config["seed"],
                                                 **{**self.config["distillation"], "encoder": "exact"})
        self.rounds = df.Rounds(sources, ldm, pathlib.Path(folder) / "synthetic")
        self.synthetic = None

    def forward(self, images):
        return self.classifier(images)

    def on_train_batch_start(self, batch, batch_idx):
        step = self.global_step
        if step in self.rounds.steps:
            self.rounds.run(self.rounds.steps.index(step))
            self.synthetic = self.rounds.loader() if len(self.rounds) else None
        self.classifier.begin_step(self.config["seed"], step)

    def training_step(self, batch, batch_idx):
        images, labels, domains, indices = batch
        step = self.global_step
        made = self.synthetic.batch(step) if self.synthetic else None
        logits = self(torch.cat([images, made.images.to(images)]) if made else images)
        loss = cross_entropy(logits[: len(labels)], labels)
        if made:
            loss = loss + cross_entropy(logits[len(labels) :], made.labels.to(labels))
        if self.teacher:
            loss = loss + self.teacher(logits[: len(labels)], labels, step=step, domains=domains, indices=indices)
            self.log_dict(self.teacher.scalars)
        self.log("loss", loss)
        return loss

    def validation_step(self, batch, batch_idx):
        images, labels, domains = batch
        self.log("accuracy", (self(images).argmax(1) == labels).float().mean(), batch_size=len(labels))

    def configure_optimizers(self):
        return torch.optim.Adam(self.classifier.parameters(), lr=self.config["optimizer"]["lr"],
                                weight_decay=self.config["optimizer"]["weight_decay"])

    def train_dataloader(self):
        return DataLoader(Batches(self.sources), batch_size=None)

    def val_dataloader(self):
        return DataLoader(self.sources.validation.resized(self.classifier.image_size_px, view="evaluation"), batch_size=64, num_workers=2)
