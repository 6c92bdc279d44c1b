"""Tiny files of arrays as NumPy writes them, in the layout of MedMNIST.

Writes arrays/: pictures in gray, stored and deflated, of which some occur twice; in colour; with two labels; volumes.
"""

import shutil
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent / "arrays"


def count(*shape):
    return (np.arange(np.prod(shape)) % 256).astype(np.uint8).reshape(shape)


def parts(train, val, test, labels):
    images = {"train": train, "val": val, "test": test}
    return {f"{n}_images": a for n, a in images.items()} | {f"{n}_labels": labels[: len(a)] for n, a in images.items()}


def main():
    shutil.rmtree(HERE, ignore_errors=True)
    HERE.mkdir()
    all_, label = count(9, 3, 4), np.array([[0], [1], [1], [0], [1], [0], [1], [0]], np.uint8)
    # One of training twice, one of training in the test set, one of the validation set in the test set, and one of that twice.
    gray = parts(all_[[0, 1, 2, 3, 4, 2, 8]], all_[[5, 6, 8]], all_[[7, 8, 7]], label)
    gray["train_images"][6] = all_[7]
    gray["val_images"][2] = all_[8]
    np.savez(HERE / "pneumoniamnist.npz", **gray)
    np.savez_compressed(HERE / "pneumoniamnist_28.npz", **gray)
    colour = count(4, 2, 3, 3)
    np.savez_compressed(HERE / "colour.npz", **parts(colour, colour[:3], colour[:3], label[:4, 0]))
    two = np.zeros((7, 2), np.uint8)
    np.savez_compressed(HERE / "chest.npz", **parts(all_[:4], all_[4:6], all_[6:8], two))
    volume = count(3, 2, 2, 2)
    np.savez_compressed(HERE / "volumes.npz", **parts(volume, volume, volume, label[:3]))


if __name__ == "__main__":
    main()
