import os

import timm
import torch
from PIL import Image
from sklearn.metrics import ConfusionMatrixDisplay
from timm.data import (
    create_dataset,
    create_loader,
    create_transform,
    resolve_model_data_config,
)
from timm.models import load_checkpoint, resume_checkpoint
from timm.optim import create_optimizer_v2
from timm.scheduler import create_scheduler_v2
from timm.utils import AverageMeter, CheckpointSaver, freeze, unfreeze
from torch.nn.functional import cross_entropy

DEVICE = torch.device("cpu")


def train_one_epoch(model, loader, optimizer):
    model.train()
    for images, labels in loader:
        loss = cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


@torch.inference_mode()
def validate(model, loader):
    model.eval()
    mean, found = AverageMeter(), []
    for images, labels in loader:
        logits = model(images)
        mean.update(cross_entropy(logits, labels).item(), len(images))
        found.append(logits.argmax(dim=1))
    return mean.avg, torch.cat(found)


model = timm.create_model("local-dir:test_resnet", pretrained=True, num_classes=2)
config = resolve_model_data_config(model)
options = dict(batch_size=32, use_prefetcher=False, device=DEVICE, **config)
train_set = create_dataset("", root="my_photos", split="train", is_training=True)
val_set = create_dataset("", root="my_photos", split="validation")
train = create_loader(train_set, is_training=True, no_aug=True, **options)
val = create_loader(val_set, **options)

last = "run/last.pth.tar"
resumed = os.path.isfile(last)
if not resumed:
    body = [name for name, _ in model.named_children() if name != "fc"]
    freeze(model, body)
    optimizer = create_optimizer_v2(model, "adamw", lr=3e-3)
    for _ in range(3):
        train_one_epoch(model, train, optimizer)
        print(validate(model, val)[0])
    unfreeze(model, body)
optimizer = create_optimizer_v2(model, "adamw", lr=3e-3, layer_decay=0.5)
scheduler, num_epochs = create_scheduler_v2(optimizer, "cosine", num_epochs=9)
start = (resume_checkpoint(model, last, optimizer) or 0) if resumed else 0
scheduler.step(start)
os.makedirs("run", exist_ok=True)
saver = CheckpointSaver(model, optimizer, checkpoint_dir="run", decreasing=True)
for epoch in range(start, num_epochs):
    train_one_epoch(model, train, optimizer)
    loss, _ = validate(model, val)
    print(loss)
    best_loss, best_epoch = saver.save_checkpoint(epoch, metric=loss)
    scheduler.step(epoch + 1)
    if epoch - best_epoch >= 3:
        break

load_checkpoint(model, "run/model_best.pth.tar")
_, found = validate(model, val)
names = {index: name for name, index in val_set.reader.class_to_idx.items()}
labels = [label for _, label in val_set.reader]
shown = ConfusionMatrixDisplay.from_predictions(
    labels, found, display_labels=names.values()
)
photo = create_transform(**config)(Image.open("photo.jpg").convert("RGB"))
with torch.inference_mode():
    probabilities = model(photo[None])[0].softmax(dim=0).tolist()
print(shown.confusion_matrix, dict(zip(names.values(), probabilities, strict=True)))
