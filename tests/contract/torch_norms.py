"""How far PyTorch's norm of many float32 numbers is off, all at once and as the worker takes it.

usage: python torch_norms.py LABEL FOLDER    Writes FOLDER/errors.json: {whole|worker: relative error}.
"""

import json
import os
import sys

import torch

from workers.torch_optimisers import row_norms

torch.manual_seed(1)
GRADIENT = 0.001 * torch.randn(2048, 2048)
EXACT = torch.norm(GRADIENT.double())

errors = {"whole": torch.norm(GRADIENT), "worker": torch.norm(row_norms(GRADIENT))}
with open(os.path.join(sys.argv[2], "errors.json"), "w") as file:
    json.dump({name: abs(float(norm.double() / EXACT) - 1) for name, norm in errors.items()}, file)
