"""Writes the .npz files beside this script: python generate.py (NumPy 2). Five images of 3 x 3, planes of colours."""

import pathlib

import numpy as np

here = pathlib.Path(__file__).parent
n, c, p = np.ogrid[:5, :3, :9]
data = ((n * 91 + c * 37 + p * 11) % 256).astype(np.uint8).reshape(5, 27)
labels = np.arange(1, 6)
np.savez(here / 'stored.npz', data=data, labels=labels, mean=data.mean(0))
np.savez_compressed(here / 'compressed.npz', labels=labels, mean=data.mean(0), data=data.reshape(5, 3, 3, 3))
np.savez(here / 'objects.npz', data=np.array([data, None], dtype=object))
np.savez(here / 'fortran.npz', data=np.asfortranarray(data))
np.savez(here / 'floats.npz', data=data.astype(np.float32))
np.savez(here / 'labels.npz', labels=labels)
