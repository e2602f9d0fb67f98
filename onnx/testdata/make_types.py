"""Writes types.onnx: one initializer of each element type as raw data and as typed fields, with the bytes that they
must decode to in the metadata. Needs the Python package onnx (made with 1.20.0): python types.py"""

import os

import numpy as np
import onnx
from onnx import TensorProto, helper

VALUES = {
    "float": [1.5, -2.0, 0.0, float("inf"), 3.25],
    "complex": [1.5 - 2j, -2j, 0, 3.25, 1 + 1j],
    "signed": [1, -2, 0, 127, -128],
    "unsigned": [1, 2, 0, 127, 255],
    "int4": [1, -2, 0, 7, -8],
    "uint4": [1, 2, 0, 7, 15],
    "int2": [1, -2, 0, 1, -1],
    "uint2": [1, 2, 0, 3, 1],
    "float4": [1.0, -2.0, 0.0, 6.0, 0.5],
    "float8": [1.0, -2.0, 0.5, 16.0, 0.25],
    "exponent": [1.0, 2.0, 0.5, 16.0, 0.25],
    "bool": [True, False, False, True, True],
}
KINDS = {
    "FLOAT": "float", "DOUBLE": "float", "FLOAT16": "float", "BFLOAT16": "float",
    "INT8": "signed", "INT16": "signed", "INT32": "signed", "INT64": "signed",
    "UINT8": "unsigned", "UINT16": "unsigned", "UINT32": "unsigned", "UINT64": "unsigned",
    "COMPLEX64": "complex", "COMPLEX128": "complex", "BOOL": "bool",
    "FLOAT8E4M3FN": "float8", "FLOAT8E4M3FNUZ": "float8", "FLOAT8E5M2": "float8", "FLOAT8E5M2FNUZ": "float8",
    "FLOAT8E8M0": "exponent", "FLOAT4E2M1": "float4", "INT4": "int4", "UINT4": "uint4", "INT2": "int2", "UINT2": "uint2",
}

tensors, expected = [], {}
for name, kind in KINDS.items():
    number = TensorProto.DataType.Value(name)
    typed = helper.make_tensor(name + "_typed", number, [5], VALUES[kind])
    array = onnx.numpy_helper.to_array(typed)
    raw = onnx.numpy_helper.from_array(array, name + "_raw")
    assert raw.data_type == number and raw.HasField("raw_data") and not typed.HasField("raw_data"), name
    tensors += [raw, typed]
    expected[name] = raw.raw_data.hex()
tensors.append(helper.make_tensor("STRING_typed", TensorProto.STRING, [2, 1], ["a", "böse"]))

graph = helper.make_graph([helper.make_node("Identity", ["FLOAT_raw"], ["y"])], "types", [],
                          [helper.make_tensor_value_info("y", TensorProto.FLOAT, [5])], tensors)
model = helper.make_model(graph, producer_name="make_types.py", ir_version=13, opset_imports=[helper.make_opsetid("", 25)])
helper.set_model_props(model, expected)
onnx.save(model, os.path.join(os.path.dirname(os.path.abspath(__file__)), "types.onnx"))
