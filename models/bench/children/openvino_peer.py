"""OpenVINO as a child of the benchmark: one stream, float32 arithmetic as the other peers have."""

import openvino
from serve import serve


def prepare(model, threads, inputs):
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": "1",
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": "f32",  # else it takes bfloat16 where the processor has it
    }
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(model), "CPU", settings)
    known = {name for port in compiled.inputs for name in port.names}
    feed = {name: array for name, array in inputs.items() if name in known}
    request = compiled.create_infer_request()
    return lambda: request.infer(feed)


serve(prepare)
