import timm
import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import (
    BackboneFinetuning,
    EarlyStopping,
    ModelCheckpoint,
)
from PIL import Image
from timm.data import create_transform, resolve_model_data_config
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader
from torchmetrics.classification import MulticlassConfusionMatrix
from torchvision.datasets import ImageFolder


class Classifier(LightningModule):
    def __init__(self, num_classes):
        super().__init__()
        self.backbone = timm.create_model(
            "local-dir:test_resnet", pretrained=True, num_classes=0
        )
        self.head = torch.nn.Linear(self.backbone.num_features, num_classes)
        self.confusion = MulticlassConfusionMatrix(num_classes)

    def forward(self, images):
        return self.head(self.backbone(images))

    def training_step(self, batch, batch_idx):
        images, labels = batch
        loss = cross_entropy(self(images), labels)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch, batch_idx):
        images, labels = batch
        self.log("val_loss", cross_entropy(self(images), labels))

    def test_step(self, batch, batch_idx):
        images, labels = batch
        self.confusion.update(self(images), labels)

    def configure_optimizers(self):
        return torch.optim.AdamW(self.head.parameters(), lr=3e-3)


model = Classifier(num_classes=2)
transform = create_transform(**resolve_model_data_config(model.backbone))
train = ImageFolder("my_photos/train", transform)
val = ImageFolder("my_photos/val", transform)
train_loader = DataLoader(train, batch_size=32, shuffle=True)
val_loader = DataLoader(val, batch_size=32)
trainer = Trainer(
    max_epochs=12,
    callbacks=[
        BackboneFinetuning(3, lambda_func=lambda epoch: 1.0),
        EarlyStopping("val_loss", patience=3),
        ModelCheckpoint("run", monitor="val_loss", save_last=True),
    ],
)
trainer.fit(model, train_loader, val_loader, ckpt_path="last")
trainer.test(model, val_loader, ckpt_path="best")
model.confusion.plot(labels=val.classes)
photo = transform(Image.open("photo.jpg").convert("RGB"))
with torch.inference_mode():
    probabilities = model(photo[None])[0].softmax(dim=0).tolist()
print(dict(zip(train.classes, probabilities, strict=True)))
