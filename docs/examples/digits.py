"""Which classifier reads handwritten digits best?

Loads the 1,797 digits that ship inside scikit-learn, splits and scales them, cross-validates and trains three classifiers as branches that do
not depend on each other, picks the best by macro F1, and draws its confusion matrix::

    finestflow run docs/examples/digits.py:Digits
    finestflow run docs/examples/digits.py:Digits -p svm.C=10 -j 2

Needs ``pip install 'finestflow[examples]'``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score
from sklearn.model_selection import cross_val_score, train_test_split
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from finestflow import Param, Pipeline, Task


@dataclass
class Dataset:
    """Images as rows of 64 numbers, and the digit that each shows."""

    images: np.ndarray
    digits: np.ndarray


class Load(Task):
    """Read the images: 1,797 of 8 by 8 pixels."""

    def run(self) -> Dataset:
        bunch = load_digits()
        print(f"{len(bunch.target)} images of {bunch.images[0].shape} pixels")
        return Dataset(bunch.data, bunch.target)


class Split(Task):
    """Keep a part of the images for the test, with every digit represented."""

    class Meta:
        outputs = ("train", "test")

    def run(self, data: Dataset, test_size: float) -> tuple[Dataset, Dataset]:
        a, b, y, z = train_test_split(
            data.images, data.digits, test_size=test_size, stratify=data.digits, random_state=0
        )
        return Dataset(a, y), Dataset(b, z)


class Scale(Task):
    """Give every pixel mean 0 and deviation 1, as seen in the training images."""

    class Meta:
        outputs = ("train", "test")

    def run(self, train: Dataset, test: Dataset) -> tuple[Dataset, Dataset]:
        scaler = StandardScaler().fit(train.images)
        return Dataset(scaler.transform(train.images), train.digits), Dataset(
            scaler.transform(test.images), test.digits
        )


class Fit(Task):
    """Train one classifier, and say how well its kind does by 5-fold cross-validation."""

    kind: str = Param("svm", choices=("svm", "forest", "logistic"), help="which classifier")
    C: float = Param(1.0, help="inverse regularisation of svm and logistic")
    trees: int = Param(200, help="size of the forest")

    def run(self, train: Dataset) -> Any:
        if self.kind == "svm":
            model = SVC(C=self.C)
        elif self.kind == "logistic":
            model = LogisticRegression(C=self.C, solver="saga", tol=1e-3, max_iter=1000, random_state=self.seed)
        else:
            model = RandomForestClassifier(n_estimators=self.trees, random_state=self.seed)
        self.log(cv_accuracy=cross_val_score(model, train.images, train.digits, cv=5).mean())
        return model.fit(train.images, train.digits)


@dataclass
class Best:
    """The winner, and how it was found."""

    name: str
    f1: float
    predicted: np.ndarray


class Pick(Task):
    """Choose the model with the best macro F1 on the test images."""

    def run(self, models: dict[str, Any], test: Dataset) -> Best:
        scores = {}
        for name, model in models.items():
            predicted = model.predict(test.images)
            scores[name] = f1_score(test.digits, predicted, average="macro"), predicted
            print(f"{name}: macro F1 {scores[name][0]:.4f}")
        name = max(scores, key=lambda name: scores[name][0])
        f1, predicted = scores[name]
        self.log(f1=f1, accuracy=accuracy_score(test.digits, predicted))
        return Best(name, f1, predicted)


class Report(Task):
    """Draw which digits are taken for which."""

    def run(self, best: Best, test: Dataset) -> Path:
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot

        counts = confusion_matrix(test.digits, best.predicted)
        figure, axes = pyplot.subplots(figsize=(5, 5))
        axes.imshow(counts, cmap="Blues")
        for row in range(10):
            for column in range(10):
                if counts[row, column]:
                    axes.text(column, row, counts[row, column], ha="center", va="center")
        axes.set(
            xlabel="predicted",
            ylabel="true",
            title=f"{best.name}: macro F1 {best.f1:.3f}",
            xticks=range(10),
            yticks=range(10),
        )
        path = Path(mkdtemp()) / "confusion.png"
        figure.savefig(path, metadata={"Software": None})  # no version inside, so that equal pictures are equal files
        pyplot.close(figure)
        return path


class Digits(Pipeline):
    """The best of three classifiers."""

    load: Load
    split: Split
    scale: Scale
    svm: Fit = Fit(kind="svm")
    forest: Fit = Fit(kind="forest")
    logistic: Fit = Fit(kind="logistic")
    pick: Pick
    report: Report

    class Meta:
        name = "digits"

    def __call__(self, test_size: float = 0.25) -> dict[str, Any]:
        data = self.load()
        train, test = self.split(data, test_size)
        train, test = self.scale(train, test)
        models = {"svm": self.svm(train), "forest": self.forest(train), "logistic": self.logistic(train)}  # branches
        best = self.pick(models, test)
        return {"best": best.name, "f1": best.f1, "figure": self.report(best, test)}


if __name__ == "__main__":
    print(Digits()())
