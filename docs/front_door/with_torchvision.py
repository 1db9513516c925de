import os

import timm
import torch
from PIL import Image
from sklearn.metrics import ConfusionMatrixDisplay
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import ImageFolder

transform = transforms.Compose(
    [
        transforms.Resize(64),
        transforms.CenterCrop(64),
        transforms.ToTensor(),
        transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    ]
)
train = ImageFolder("my_photos/train", transform)
val = ImageFolder("my_photos/val", transform)
train_loader = DataLoader(train, batch_size=32, shuffle=True)
val_loader = DataLoader(val, batch_size=32)

model = timm.create_model("local-dir:test_resnet", pretrained=True)
for parameter in model.parameters():
    parameter.requires_grad = False
model.fc = torch.nn.Linear(model.fc.in_features, len(train.classes))
body = [p for name, p in model.named_parameters() if not name.startswith("fc.")]
optimizer = torch.optim.AdamW(
    [
        {"params": body, "lr": 3e-4},
        {"params": model.fc.parameters(), "lr": 3e-3},
    ]
)


def train_one_epoch():
    model.train()
    for images, labels in train_loader:
        optimizer.zero_grad()
        loss = cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()


@torch.inference_mode()
def validate():
    model.eval()
    total, found = 0.0, []
    for images, labels in val_loader:
        logits = model(images)
        total += cross_entropy(logits, labels, reduction="sum").item()
        found.append(logits.argmax(dim=1))
    return total / len(val), torch.cat(found)


start, best_loss, best_epoch = 0, float("inf"), 0
if os.path.exists("run.pt"):
    saved = torch.load("run.pt")
    model.load_state_dict(saved["model"])
    optimizer.load_state_dict(saved["optimizer"])
    start, best_loss, best_epoch = saved["epoch"], saved["loss"], saved["best"]

for epoch in range(start, 12):
    for parameter in body:
        parameter.requires_grad = epoch >= 3
    train_one_epoch()
    loss, _ = validate()
    print(epoch, loss)
    if loss < best_loss:
        best_loss, best_epoch = loss, epoch
        torch.save(model.state_dict(), "best.pt")
    torch.save(
        {
            "model": model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "epoch": epoch + 1,
            "loss": best_loss,
            "best": best_epoch,
        },
        "run.pt",
    )
    if epoch - best_epoch >= 3:
        break

model.load_state_dict(torch.load("best.pt"))
_, found = validate()
shown = ConfusionMatrixDisplay.from_predictions(
    val.targets, found, display_labels=val.classes
)
photo = transform(Image.open("photo.jpg").convert("RGB"))
with torch.inference_mode():
    probabilities = model(photo[None])[0].softmax(dim=0).tolist()
print(shown.confusion_matrix, dict(zip(train.classes, probabilities, strict=True)))
