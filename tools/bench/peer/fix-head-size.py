"""Writes the size of a head into the shapes of an ONNX decoder's cache inputs, which transformers.js takes from there.

    python fix-head-size.py MODEL.onnx HEAD_SIZE
"""

import sys

import onnx

path, head_size = sys.argv[1], int(sys.argv[2])
model = onnx.load(path, load_external_data=False)
for value in model.graph.input:
    if value.name.startswith("past_key_values."):
        value.type.tensor_type.shape.dim[3].dim_value = head_size
onnx.save(model, path)
