"""Trains and exports the small models of this folder from scikit-learn's handwritten digits.

    python3 -m venv venv && venv/bin/pip install -r requirements.txt && venv/bin/python train.py

Writes mlp.onnx and attention.onnx (float32, batch size symbolic), and the labelled test set that neither has seen:
images.npy, float32[360 64], pixels from 0 to 1, row by row; labels.npy, int64[360]. The graphs are spelled as PyTorch's
exporter spells them (biases as Add, GELU as Div/Erf/Add/Mul/Mul), so that they exercise what real files hold.
"""
import jax
import jax.numpy as jnp
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

SEED = 7
WIDTH, HEADS, LAYERS, FFN, TOKENS, PIXELS = 128, 4, 2, 256, 8, 8


def dense(key, n_in, n_out):
    return {"w": jax.random.normal(key, (n_in, n_out)) * (2.0 / (n_in + n_out)) ** 0.5, "b": jnp.zeros(n_out)}


def init_mlp(key):
    a, b, c = jax.random.split(key, 3)
    return [dense(a, 64, 384), dense(b, 384, 256), dense(c, 256, 10)]


def run_mlp(p, x):
    for layer in p[:-1]:
        x = jax.nn.relu(x @ layer["w"] + layer["b"])
    return x @ p[-1]["w"] + p[-1]["b"]


def init_attention(key):
    keys = iter(jax.random.split(key, 3 + 6 * LAYERS))
    norm = lambda: {"g": jnp.ones(WIDTH), "b": jnp.zeros(WIDTH)}
    return {
        "embed": dense(next(keys), PIXELS, WIDTH),
        "position": jax.random.normal(next(keys), (TOKENS, WIDTH)) * 0.1,
        "layers": [
            {
                "query": dense(next(keys), WIDTH, WIDTH), "key": dense(next(keys), WIDTH, WIDTH),
                "value": dense(next(keys), WIDTH, WIDTH), "output": dense(next(keys), WIDTH, WIDTH),
                "up": dense(next(keys), WIDTH, FFN), "down": dense(next(keys), FFN, WIDTH),
                "norm1": norm(), "norm2": norm(),
            }
            for _ in range(LAYERS)
        ],
        "head": dense(next(keys), WIDTH, 10),
    }


def layer_norm(p, x):
    m = x.mean(-1, keepdims=True)
    v = ((x - m) ** 2).mean(-1, keepdims=True)
    return (x - m) / jnp.sqrt(v + 1e-5) * p["g"] + p["b"]


def run_attention(p, x):
    lin = lambda q, v: v @ q["w"] + q["b"]
    h = lin(p["embed"], x.reshape(-1, TOKENS, PIXELS)) + p["position"]
    for l in p["layers"]:
        split = lambda t: t.reshape(-1, TOKENS, HEADS, WIDTH // HEADS).transpose(0, 2, 1, 3)
        q, k, v = (split(lin(l[n], h)) for n in ("query", "key", "value"))
        s = jax.nn.softmax(q @ k.transpose(0, 1, 3, 2) / (WIDTH // HEADS) ** 0.5, -1)
        h = layer_norm(l["norm1"], h + lin(l["output"], (s @ v).transpose(0, 2, 1, 3).reshape(-1, TOKENS, WIDTH)))
        h = layer_norm(l["norm2"], h + lin(l["down"], jax.nn.gelu(lin(l["up"], h), approximate=False)))
    return lin(p["head"], h.mean(1))


def augment(rng, x):
    """Shifts every image by up to one pixel and adds a little noise."""
    out = np.zeros_like(x).reshape(-1, 8, 8)
    src = x.reshape(-1, 8, 8)
    for i, (dy, dx) in enumerate(rng.integers(-1, 2, (len(x), 2))):
        out[i] = np.roll(src[i], (dy, dx), (0, 1))
    return np.clip(out.reshape(-1, 64) + rng.normal(0, 0.04, x.shape), 0, 1).astype(np.float32)


def train(init, run, x, y, epochs, rate):
    p = init(jax.random.PRNGKey(SEED))
    zeros = jax.tree.map(jnp.zeros_like, p)

    def loss(p, x, y):
        logp = jax.nn.log_softmax(run(p, x))
        return -jnp.take_along_axis(logp, y[:, None], 1).mean()

    @jax.jit
    def step(p, m, v, t, lr, x, y):
        g = jax.grad(loss)(p, x, y)
        m = jax.tree.map(lambda a, b: 0.9 * a + 0.1 * b, m, g)
        v = jax.tree.map(lambda a, b: 0.999 * a + 0.001 * b * b, v, g)
        c = jnp.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        p = jax.tree.map(lambda w, a, b: w - lr * (c * a / (jnp.sqrt(b) + 1e-8) + 0.01 * w), p, m, v)
        return p, m, v

    rng, m, v, t = np.random.default_rng(SEED), zeros, zeros, 0
    for epoch in range(epochs):
        lr = rate * 0.5 * (1 + np.cos(np.pi * epoch / epochs))
        order, xs = rng.permutation(len(x)), augment(rng, x)
        for i in range(0, len(x) - 63, 64):
            t += 1
            b = order[i : i + 64]
            p, m, v = step(p, m, v, t, lr, xs[b], y[b])
    return jax.tree.map(np.asarray, p)


class Graph:
    """Collects nodes and initializers of an ONNX graph."""

    def __init__(self):
        self.nodes, self.weights = [], []

    def const(self, name, value):
        self.weights.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def add(self, op, inputs, out, **attrs):
        self.nodes.append(helper.make_node(op, inputs, [out], name=f"{out}/{op}", **attrs))
        return out

    def linear(self, p, x, name):
        y = self.add("MatMul", [x, self.const(f"{name}.weight", p["w"].astype(np.float32))], f"{name}.product")
        return self.add("Add", [self.const(f"{name}.bias", p["b"].astype(np.float32)), y], name)

    def norm(self, p, x, name):
        return self.add("LayerNormalization", [x, self.const(f"{name}.weight", p["g"].astype(np.float32)),
                                               self.const(f"{name}.bias", p["b"].astype(np.float32))], name, axis=-1, epsilon=1e-5)

    def gelu(self, x, name):
        e = self.add("Erf", [self.add("Div", [x, self.const(f"{name}.sqrt2", np.float32(2**0.5))], f"{name}.scaled")], f"{name}.erf")
        y = self.add("Mul", [x, self.add("Add", [e, self.const(f"{name}.one", np.float32(1))], f"{name}.shifted")], f"{name}.twice")
        return self.add("Mul", [y, self.const(f"{name}.half", np.float32(0.5))], name)

    def save(self, file, name):
        g = helper.make_graph(self.nodes, name, [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 64])],
                              [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 10])], self.weights)
        m = helper.make_model(g, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name="qrun-digits")
        onnx.checker.check_model(m, full_check=True)
        onnx.save(m, file)


def export_mlp(p):
    g, x = Graph(), "image"
    for i, layer in enumerate(p):
        names = [g.const(f"fc{i}.weight", layer["w"].T.astype(np.float32)), g.const(f"fc{i}.bias", layer["b"].astype(np.float32))]
        last = i == len(p) - 1
        x = g.add("Gemm", [x, *names], "logits" if last else f"fc{i}", transB=1)
        if not last:
            x = g.add("Relu", [x], f"relu{i}")
    g.save("mlp.onnx", "digits_mlp")


def export_attention(p):
    g = Graph()
    h = g.add("Reshape", ["image", g.const("tokens.shape", np.array([-1, TOKENS, PIXELS]))], "tokens")
    h = g.add("Add", [g.linear(p["embed"], h, "embed"), g.const("position", p["position"].astype(np.float32))], "embedded")
    heads = g.const("heads.shape", np.array([0, 0, HEADS, WIDTH // HEADS]))
    merged = g.const("merged.shape", np.array([0, 0, WIDTH]))
    root = g.const("sqrt_width", np.float32((WIDTH // HEADS) ** 0.5))
    for i, l in enumerate(p["layers"]):
        n = f"layer.{i}"
        parts = {}
        for part, perm in (("query", [0, 2, 1, 3]), ("key", [0, 2, 3, 1]), ("value", [0, 2, 1, 3])):
            t = g.add("Reshape", [g.linear(l[part], h, f"{n}.{part}"), heads], f"{n}.{part}.heads")
            parts[part] = g.add("Transpose", [t], f"{n}.{part}.transposed", perm=perm)
        s = g.add("Div", [g.add("MatMul", [parts["query"], parts["key"]], f"{n}.scores"), root], f"{n}.scores.scaled")
        s = g.add("Softmax", [s], f"{n}.attention", axis=-1)
        c = g.add("Transpose", [g.add("MatMul", [s, parts["value"]], f"{n}.mixed")], f"{n}.mixed.transposed", perm=[0, 2, 1, 3])
        c = g.linear(l["output"], g.add("Reshape", [c, merged], f"{n}.merged"), f"{n}.output")
        h = g.norm(l["norm1"], g.add("Add", [h, c], f"{n}.residual1"), f"{n}.norm1")
        f = g.linear(l["down"], g.gelu(g.linear(l["up"], h, f"{n}.up"), f"{n}.gelu"), f"{n}.down")
        h = g.norm(l["norm2"], g.add("Add", [h, f], f"{n}.residual2"), f"{n}.norm2")
    h = g.add("ReduceMean", [h], "pooled", axes=[1], keepdims=0)
    y = g.add("MatMul", [h, g.const("head.weight", p["head"]["w"].astype(np.float32))], "head.product")
    g.add("Add", [y, g.const("head.bias", p["head"]["b"].astype(np.float32))], "logits")
    g.save("attention.onnx", "digits_attention")


def main():
    x, y = load_digits(return_X_y=True)
    x = (x / 16).astype(np.float32)
    x, xt, y, yt = train_test_split(x, y, test_size=360, random_state=SEED, stratify=y)
    for name, init, run, export, epochs, rate in (
        ("mlp", init_mlp, run_mlp, export_mlp, 120, 2e-3),
        ("attention", init_attention, run_attention, export_attention, 150, 1e-3),
    ):
        p = train(init, run, x, y, epochs, rate)
        print(f"{name}: test accuracy {(np.asarray(run(p, xt)).argmax(-1) == yt).mean():.4f}")
        export(p)
    np.save("images.npy", xt)
    np.save("labels.npy", yt.astype(np.int64))


if __name__ == "__main__":
    main()
