"""quantize.py MODEL RESULT: ONNX Runtime's own dynamic quantization to int8, with a scale per channel."""

import sys

import onnxruntime
from onnxruntime.quantization import QuantType, quantize_dynamic

onnxruntime.set_default_logger_severity(3)
quantize_dynamic(sys.argv[1], sys.argv[2], weight_type=QuantType.QInt8, per_channel=True)
