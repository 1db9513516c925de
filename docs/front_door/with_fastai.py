# ruff: noqa: F403, F405
from fastai.vision.all import *

dls = ImageDataLoaders.from_folder(
    "my_photos", train="train", valid="val", item_tfms=Resize(64), bs=32
)
learn = vision_learner(dls, "local-dir:test_resnet", metrics=accuracy)
callbacks = [EarlyStoppingCallback(patience=3), SaveModelCallback(with_opt=True)]
learn.fine_tune(9, freeze_epochs=3, cbs=callbacks)
report = ClassificationInterpretation.from_learner(learn)
report.plot_confusion_matrix()
print(report.confusion_matrix(), learn.predict("photo.jpg"))
