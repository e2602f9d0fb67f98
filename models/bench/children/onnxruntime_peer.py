"""ONNX Runtime as a child of the benchmark: its default CPU provider and optimizations."""

import onnxruntime
from serve import serve


def prepare(model, threads, inputs):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    known = {i.name for i in session.get_inputs()}
    feed = {name: array for name, array in inputs.items() if name in known}
    return lambda: session.run(None, feed)


onnxruntime.set_default_logger_severity(3)
serve(prepare)
