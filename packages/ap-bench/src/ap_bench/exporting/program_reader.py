"""A program: outputs of a .pt2 archive, by torch alone. Arguments: FILE IMAGES.npz OUTPUTS.npz."""

import sys
from pathlib import Path

import numpy as np
import torch


def main(file: str, asked: str, answered: str) -> None:
    """Answer every batch of images. See `ap_core.exported`."""
    with Path(file).open("rb") as archive:
        program = torch.export.load(archive)
    network, dtype = program.module(), _type_of_images(program)
    with np.load(asked) as batches, torch.inference_mode():
        outputs = {
            name: network(torch.from_numpy(batches[name]).to(dtype)).float().numpy()
            for name in batches
        }
    np.savez(answered, **outputs)


def _type_of_images(program: torch.export.ExportedProgram) -> torch.dtype:
    (name,) = program.graph_signature.user_inputs
    images = next(node for node in program.graph.nodes if node.name == name)
    dtype: torch.dtype = images.meta["val"].dtype
    return dtype


if __name__ == "__main__":
    main(*sys.argv[1:])
