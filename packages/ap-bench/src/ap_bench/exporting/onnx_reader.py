"""A program: outputs of an ONNX file, by onnxruntime and numpy alone.

Arguments: FILE IMAGES.npz OUTPUTS.npz.
"""

import sys

import numpy as np
import onnxruntime

TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16}


def main(file: str, asked: str, answered: str) -> None:
    """Answer every batch of images. See `ap_core.exported`."""
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    (images,) = session.get_inputs()
    outputs = {}
    with np.load(asked) as batches:
        for name in batches:
            given = {images.name: batches[name].astype(TYPES[images.type])}
            (logits,) = session.run(None, given)
            outputs[name] = logits.astype(np.float32)
    np.savez(answered, **outputs)


if __name__ == "__main__":
    main(*sys.argv[1:])
