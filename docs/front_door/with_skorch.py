import timm
import torch
from PIL import Image
from sklearn.metrics import ConfusionMatrixDisplay
from skorch import NeuralNetClassifier
from skorch.callbacks import (
    Checkpoint,
    EarlyStopping,
    Freezer,
    LoadInitState,
    Unfreezer,
)
from skorch.helper import predefined_split
from timm.data import create_transform, resolve_model_data_config
from torchvision.datasets import ImageFolder

model = timm.create_model("local-dir:test_resnet", pretrained=True, num_classes=2)
transform = create_transform(**resolve_model_data_config(model))
train = ImageFolder("my_photos/train", transform)
val = ImageFolder("my_photos/val", transform)
body = ["conv1*", "bn1*", "layer*"]
checkpoint = Checkpoint(dirname="run")
net = NeuralNetClassifier(
    model,
    classes=[0, 1],
    criterion=torch.nn.CrossEntropyLoss,
    optimizer=torch.optim.AdamW,
    lr=3e-3,
    optimizer__param_groups=[(pattern, {"lr": 3e-4}) for pattern in body],
    max_epochs=12,
    batch_size=32,
    iterator_train__shuffle=True,
    train_split=predefined_split(val),
    callbacks=[
        Freezer(body),
        Unfreezer(body, at=4),
        checkpoint,
        LoadInitState(checkpoint),
        EarlyStopping(patience=3, load_best=True),
    ],
)
net.fit(train, y=None)
found = net.predict(val)
shown = ConfusionMatrixDisplay.from_predictions(
    val.targets, found, display_labels=val.classes
)
photo = transform(Image.open("photo.jpg").convert("RGB"))
probabilities = net.predict_proba(photo[None])[0]
print(shown.confusion_matrix, dict(zip(train.classes, probabilities, strict=True)))
