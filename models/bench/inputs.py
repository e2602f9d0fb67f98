"""Inputs for models: tensors written as ONNX's TensorProto without any package."""

import array
import fnmatch
import random
import re

TYPES = {"float32": (1, "f"), "int32": (6, "i"), "int64": (7, "q")}


def varint(n):
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def chunk(field, content):
    return varint(field << 3 | 2) + varint(len(content)) + content


def tensor_proto(name, dtype, shape, values):
    """dims = 1, data_type = 2, name = 8, raw_data = 9, little endian."""
    code, letter = TYPES[dtype]
    raw = array.array(letter, values)
    if array.array("h", [1]).tobytes() != b"\1\0":
        raw.byteswap()
    dims = b"".join(varint(1 << 3) + varint(d) for d in shape)
    return dims + varint(2 << 3) + varint(code) + chunk(8, name.encode()) + chunk(9, raw.tobytes())


def parse(text):
    """'float32[1 3 224 224]' or 'int64[] 16000': type, shape, the value of all elements or None."""
    m = re.fullmatch(r"(\w+)\[([\d ]*)\](?: (-?\d+))?", text)
    if not m or m[1] not in TYPES:
        raise ValueError(f"{text!r} is no input, want one like 'float32[1 3]' of {', '.join(TYPES)}")
    return m[1], [int(d) for d in m[2].split()], None if m[3] is None else int(m[3])


def values(name, dtype, count, rng, last):
    """Pixels or samples between 0 and 1; token ids between their marks of begin and end, a mask of ones, types of zero."""
    if dtype == "float32":
        return (rng.random() for _ in range(count))
    if "mask" in name:
        return [1] * count
    if "type" in name:
        return [0] * count
    ids = [rng.randrange(1000, 20000) for _ in range(count)]
    if last:
        ids[0::last] = [101] * (count // last)
        ids[last - 1 :: last] = [102] * (count // last)
    return ids


def write(folder, names, wanted):
    """Writes input_0.pb, ... for a model's inputs; wanted gives type and shape by name, or by pattern of names."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = random.Random(1)
    for i, name in enumerate(names):
        text = wanted.get(name) or next((t for pattern, t in wanted.items() if fnmatch.fnmatch(name, pattern)), None)
        if text is None:
            raise ValueError(f"no shape for input {name!r}")
        dtype, shape, value = parse(text)
        count = 1
        for d in shape:
            count *= d
        data = [value] * count if value is not None else values(name, dtype, count, rng, shape[-1] if shape else 0)
        (folder / f"input_{i}.pb").write_bytes(tensor_proto(name, dtype, shape, data))
